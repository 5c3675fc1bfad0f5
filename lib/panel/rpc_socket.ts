import { PanelError } from "./panel_error.ts";
import { type PanelMessage, parsePanelMessage, rpcCall } from "../panel_message.ts";
import { timeoutError } from "./exchange.ts";
import type { RpcRequest } from "./rpc_post.ts";
import { rpcRefusal } from "./rpc_refusal.ts";
import type { Socket } from "./socket.ts";

interface Waiting {
  readonly name: string;
  resolve(): void;
  reject(reason: unknown): void;
}

/** Version 2 of the panel's protocol over a WebSocket: every call carries an id and is answered. */
export class RpcSocket {
  readonly #socket: Socket;
  readonly #onMessage: (message: PanelMessage) => void;
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;

  /** `onMessage` is told all that answers no call of ours; it must not throw. */
  constructor(socket: Socket, options: { onMessage: (message: PanelMessage) => void }) {
    this.#socket = socket;
    this.#onMessage = options.onMessage;
  }

  /** Deals with what comes until the connection has ended. */
  async run(): Promise<void> {
    try {
      for (;;) {
        const received = await this.#socket.receive();
        if (received === undefined) break;
        if (typeof received === "string") this.#take(parsePanelMessage(received));
      }
    } finally {
      for (const { name, reject } of this.#waiting.values()) reject(this.#gone(name));
      this.#waiting.clear();
    }
  }

  /**
   * Makes a call and waits for its answer.
   *
   * @throws {PanelError} When there is none in time, the panel did not take it, or the connection
   * has ended.
   * @throws The signal's reason when it aborts.
   */
  async call({ method, params, timeoutMs, signal }: RpcRequest): Promise<void> {
    signal.throwIfAborted();
    const id = ++this.#lastId;
    const name = `send ${method} by WebSocket`;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    // It may be rejected while the message is still being handed over.
    promise.catch(() => {});
    this.#waiting.set(id, { name, resolve, reject });
    const abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    const timer = setTimeout(() => reject(timeoutError(name, timeoutMs)), timeoutMs);
    try {
      this.#socket.send(rpcCall(method, params, id)).catch(() => reject(this.#gone(name)));
      await promise;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
      this.#waiting.delete(id);
    }
  }

  #take(message: PanelMessage): void {
    // Without an id it is about something that the panel could not read.
    if (message.kind !== "answer" || message.id === undefined) return this.#onMessage(message);
    const waiting = this.#waiting.get(message.id);
    if (waiting === undefined) return;
    if (message.error === undefined) waiting.resolve();
    else waiting.reject(rpcRefusal(waiting.name, message.error));
  }

  #gone(name: string): PanelError {
    const { ending } = this.#socket;
    const why = ending === "" ? "the connection has ended" : ending;
    return new PanelError(`Cannot ${name}: ${why}`, { failure: "unreachable" });
  }
}
