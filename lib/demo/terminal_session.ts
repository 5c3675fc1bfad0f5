/**
 * A terminal that the panel has requested.
 *
 * @module
 */

import type { WebSocket } from "ws";
import { Subscribers } from "./panel_state.ts";

/** Maximum size of the output that is kept. */
const MAX_OUTPUT_BYTES = 1024 * 1024;
/** A terminal of panels without sessions has to be dialled within this time. */
const DIAL_TIMEOUT_MS = 30_000;
/** A session ends after this time without a browser or without an agent. */
const SESSION_TIMEOUT_MS = 5 * 60_000;

/**
 * One terminal with its input and output, from a browser (or a test) to the agent.
 *
 * With `isSession`, as on panels from 1.5 on, it survives lost connections of either side for five
 * minutes; without, it ends with the agent's connection.
 */
export class TerminalSession {
  readonly id: string;
  readonly #isSession: boolean;
  readonly #listeners = new Subscribers<Uint8Array | undefined>();
  #socket: WebSocket | undefined;
  #wasDialled = false;
  #hasBrowser = true;
  #bytes = new Uint8Array();
  #isOver = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(id: string, options: { isSession: boolean }) {
    this.id = id;
    this.#isSession = options.isSession;
    this.#startTimer();
  }

  /** Whether the agent has dialled and is still connected. */
  get isConnected(): boolean {
    return this.#socket !== undefined && !this.#isOver;
  }

  /** Whether it has ended, or was not dialled in time. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Whether an agent that dials it is accepted. */
  get acceptsDial(): boolean {
    return !this.#isOver && this.#hasBrowser;
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

  /**
   * Calls `listener` with all output, and with `undefined` when the agent's connection ends, until
   * the signal aborts.
   */
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

  /** Attaches the agent's connection; false when the contract forbids it to dial. */
  attach(socket: WebSocket): boolean {
    const isAllowed = this.#isSession ? this.#socket === undefined : !this.#wasDialled;
    if (this.#isSession) this.#socket?.terminate();
    this.#wasDialled = true;
    this.#socket = socket;
    clearTimeout(this.#timer);
    socket.on("message", (data) => {
      if (socket === this.#socket) this.#addOutput(new Uint8Array(data));
    });
    socket.on("close", () => {
      if (socket === this.#socket) this.#onDisconnect();
    });
    this.#listeners.notify(new Uint8Array());
    return isAllowed;
  }

  /** Handles a lost connection of the browser: the agent's one is closed. */
  detachBrowser(): void {
    if (!this.#isSession) return this.end();
    this.#hasBrowser = false;
    this.#socket?.terminate();
    if (this.#isOver) return;
    this.#startTimer();
    this.#listeners.notify(new Uint8Array());
  }

  /** Handles a browser that comes back; the agent has to be asked again. */
  attachBrowser(): void {
    this.#hasBrowser = true;
    this.#startTimer();
  }

  /** Ends it as the user does: a session tells the agent so. */
  close(): void {
    if (!this.#isSession || this.#socket === undefined) return this.end();
    this.#socket.send('{"type":"close"}', { binary: false }, () => this.end());
  }

  /** Ends it without a close frame. */
  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#socket?.terminate();
    this.#listeners.notify(undefined);
  }

  #onDisconnect(): void {
    if (!this.#isSession) return this.end();
    this.#socket = undefined;
    if (this.#isOver) return;
    this.#startTimer();
    this.#listeners.notify(undefined);
  }

  #startTimer(): void {
    clearTimeout(this.#timer);
    const timeoutMs = this.#isSession ? SESSION_TIMEOUT_MS : DIAL_TIMEOUT_MS;
    this.#timer = setTimeout(() => this.end(), timeoutMs);
  }

  #addOutput(output: Uint8Array<ArrayBuffer>): void {
    const all = new Uint8Array(this.#bytes.length + output.length);
    all.set(this.#bytes);
    all.set(output, this.#bytes.length);
    this.#bytes = all.slice(-MAX_OUTPUT_BYTES);
    this.#listeners.notify(output);
  }
}
