/**
 * A terminal that the panel has requested.
 *
 * @module
 */

import type { WebSocket } from "ws";
import { Subscribers } from "./panel_state.ts";

/** Maximum size of the output that is kept. */
const MAX_OUTPUT_BYTES = 1024 * 1024;

/** One terminal with its input and output. */
export class TerminalSession {
  readonly id: string;
  #socket: WebSocket | undefined;
  #bytes = new Uint8Array();
  #isOver = false;
  readonly #listeners = new Subscribers<Uint8Array | undefined>();

  constructor(id: string) {
    this.id = id;
  }

  /** Whether the agent has dialled and is still connected. */
  get isConnected(): boolean {
    return this.#socket !== undefined && !this.#isOver;
  }

  /** Whether it has ended, or was not dialled in time. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** The last MiB of output, as text. */
  get output(): string {
    return new TextDecoder().decode(this.#bytes);
  }

  /** Sends keystrokes; text that begins with a brace is a message, such as a resize. */
  send(data: string | Uint8Array<ArrayBuffer>): void {
    const isMessage = typeof data === "string" && data.startsWith("{");
    const bytes = typeof data === "string" && !isMessage ? new TextEncoder().encode(data) : data;
    this.#socket?.send(bytes, { binary: !isMessage }, () => {});
  }

  /** Tells the agent the size of the terminal. */
  resize(cols: number, rows: number): void {
    this.send(JSON.stringify({ type: "resize", cols, rows }));
  }

  /** Calls `listener` with all output, and with `undefined` at the end, until the signal aborts. */
  listen(
    listener: (output: Uint8Array | undefined) => void,
    options: { signal: AbortSignal },
  ): void {
    this.#listeners.add(listener, options);
  }

  /** Resolves as soon as `condition` holds; rejects with the signal's reason when it aborts before. */
  until(
    condition: (session: TerminalSession) => boolean,
    options: { signal?: AbortSignal } = {},
  ): Promise<void> {
    return this.#listeners.until(() => condition(this), options);
  }

  /** Attaches the agent's connection; false when it has dialled before, which the contract forbids. */
  attach(socket: WebSocket): boolean {
    const isFirst = this.#socket === undefined;
    this.#socket = socket;
    socket.on("message", (data) => {
      if (socket === this.#socket) this.#addOutput(new Uint8Array(data));
    });
    socket.on("close", () => {
      if (socket === this.#socket) this.end();
    });
    this.#listeners.notify(new Uint8Array());
    return isFirst;
  }

  /** Ends it without a close frame. */
  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#socket?.terminate();
    this.#listeners.notify(undefined);
  }

  #addOutput(output: Uint8Array<ArrayBuffer>): void {
    const all = new Uint8Array(this.#bytes.length + output.length);
    all.set(this.#bytes);
    all.set(output, this.#bytes.length);
    this.#bytes = all.slice(-MAX_OUTPUT_BYTES);
    this.#listeners.notify(output);
  }
}
