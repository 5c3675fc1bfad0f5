import type { WebSocket } from "ws";
import { Subscribers } from "../../lib/demo/panel_state.ts";
import { untilEvent } from "./test_panel_state.ts";

/** Maximum size of the output that is kept. */
const MAX_OUTPUT_BYTES = 1024 * 1024;

/**
 * A terminal that the panel has requested, with its input and output, from a browser to the agent. It
 * survives lost connections of either side.
 */
export class TestTerminal {
  readonly id: string;
  protected socket: WebSocket | undefined;
  readonly #onSecondDial: () => void;
  readonly #listeners = new Subscribers<Uint8Array | undefined>();
  #hasBrowser = false;
  #bytes = new Uint8Array();
  #isOver = false;

  /** `onSecondDial`: the agent dials it although it is connected. */
  constructor(id: string, options: { onSecondDial: () => void }) {
    this.id = id;
    this.#onSecondDial = options.onSecondDial;
  }

  /** Whether the agent has dialled and is still connected. */
  get isConnected(): boolean {
    return this.socket !== undefined && !this.#isOver;
  }

  /** Whether it has ended. */
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
    this.socket?.send(bytes, { binary: !isMessage }, () => {});
  }

  /** Tells the agent the size of the terminal. */
  resize(cols: number, rows: number): void {
    this.send(JSON.stringify({ type: "resize", cols, rows }));
  }

  /** Resolves as soon as `condition` holds; rejects with the signal's reason when it aborts before. */
  until(
    condition: (terminal: TestTerminal) => boolean,
    options?: { signal?: AbortSignal },
  ): Promise<void> {
    const subscribe = (listener: () => void, signal: AbortSignal) =>
      this.listen(listener, { signal });
    return untilEvent(subscribe, () => condition(this), options);
  }

  /**
   * Calls `listener` with all output, and with `undefined` when the agent's connection ends, until
   * the signal aborts.
   */
  listen(
    listener: (output: Uint8Array | undefined) => void,
    options: { signal: AbortSignal },
  ): void {
    this.#listeners.subscribe(listener, options);
  }

  /** Attaches the agent's connection, in place of the one before. */
  attach(socket: WebSocket): void {
    if (this.socket !== undefined) this.#onSecondDial();
    this.socket?.terminate();
    this.socket = socket;
    // The library calls it to answer a close frame; the panel answers none on terminals.
    socket.close = () => socket.terminate();
    socket.on("message", (data) => {
      if (socket === this.socket) this.#addOutput(new Uint8Array(data));
    });
    socket.on("close", () => {
      if (socket === this.socket) this.onDisconnect();
    });
    this.#listeners.notify(new Uint8Array());
  }

  /** Handles a browser that comes, or comes back; the agent has to be asked again. */
  attachBrowser(): void {
    this.#hasBrowser = true;
  }

  /** Handles a lost connection of the browser: the agent's one is closed. */
  detachBrowser(): void {
    this.#hasBrowser = false;
    this.socket?.terminate();
    if (this.#isOver) return;
    this.#listeners.notify(new Uint8Array());
  }

  /** Ends it as the user does: the agent is told so. */
  close(): void {
    if (this.socket === undefined) return this.end();
    this.socket.send('{"type":"close"}', { binary: false }, () => this.end());
  }

  /** Ends it without a close frame. */
  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.socket?.terminate();
    this.#listeners.notify(undefined);
  }

  /** Handles a lost connection of the agent. */
  protected onDisconnect(): void {
    this.socket = undefined;
    if (this.#isOver) return;
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

/** A terminal of panels up to 1.4, which ends with either connection. */
export class PlainTerminal extends TestTerminal {
  override detachBrowser(): void {
    this.end();
  }

  override close(): void {
    this.end();
  }

  protected override onDisconnect(): void {
    this.end();
  }
}
