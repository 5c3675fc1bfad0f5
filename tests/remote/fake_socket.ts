import type { WebSocketConnection } from "../../lib/net/websocket.ts";

/** A connection to a panel that a test plays. */
export class FakeSocket implements WebSocketConnection {
  readonly lastReceivedAtMs = 0;
  closeReason = "";
  protocolError = false;
  isClosed = false;
  /** Frames that were sent, as text. */
  text = "";
  readonly frames: Uint8Array[] = [];
  /** Set to lose all that is sent from now on. */
  failsToSend = false;
  /** Set to hold up all that is sent from now on. */
  stuck: Promise<void> | undefined;
  /** How many sends are under way, at most. */
  mostAtATime = 0;
  #sending = 0;
  readonly #decoder = new TextDecoder();
  readonly #incoming: (string | Uint8Array<ArrayBuffer>)[] = [];
  #waiting: ((frame: string | Uint8Array<ArrayBuffer> | undefined) => void) | undefined;
  readonly #closed = Promise.withResolvers<never>();

  constructor() {
    this.#closed.promise.catch(() => {});
  }

  /** Lets the panel send. */
  push(...frames: (string | Uint8Array<ArrayBuffer>)[]): void {
    for (const frame of frames) {
      if (this.#waiting === undefined) this.#incoming.push(frame);
      else {
        this.#waiting(frame);
        this.#waiting = undefined;
      }
    }
  }

  /** Lets the panel type. */
  type(keys: string): void {
    this.push(new TextEncoder().encode(keys));
  }

  async send(message: string | Uint8Array<ArrayBuffer>): Promise<void> {
    if (this.isClosed) throw new Error("Cannot send: the connection is closed");
    if (this.failsToSend) throw new Error("Cannot send: the connection was reset");
    this.mostAtATime = Math.max(this.mostAtATime, ++this.#sending);
    const bytes = typeof message === "string" ? new TextEncoder().encode(message) : message.slice();
    await Promise.race([this.stuck, this.#closed.promise]);
    this.#sending--;
    this.frames.push(bytes);
    this.text = (this.text + this.#decoder.decode(bytes, { stream: true })).slice(-1_000_000);
  }

  ping(): Promise<void> {
    return Promise.resolve();
  }

  receive(): Promise<string | Uint8Array<ArrayBuffer> | undefined> {
    if (this.isClosed) return Promise.resolve(undefined);
    const frame = this.#incoming.shift();
    if (frame !== undefined) return Promise.resolve(frame);
    return new Promise((resolve) => this.#waiting = resolve);
  }

  close(): void {
    this.isClosed = true;
    this.#closed.reject(new Error("Cannot send: the connection is closed"));
    this.#waiting?.(undefined);
    this.#waiting = undefined;
  }
}
