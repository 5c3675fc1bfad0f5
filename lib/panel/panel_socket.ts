import type { WebSocketConnection } from "../net/websocket.ts";
import { type RpcRequest, toPanelError } from "./client_v2.ts";
import { timeoutError } from "./http_exchange.ts";
import type { SocketEnd } from "./link_machine.ts";
import { encodeRpcCall, type PanelMessage, parsePanelMessage } from "./messages.ts";
import { PanelError } from "./panel_error.ts";
import type { WireProbeResult, WireReport } from "./protocol.ts";

interface Waiting {
  readonly name: string;
  resolve(): void;
  reject(reason: unknown): void;
}

/** Version 2 of the panel's protocol over a WebSocket: every call carries an id and is answered. */
export class RpcSocket {
  readonly #socket: WebSocketConnection;
  readonly #onMessage: (message: PanelMessage) => void;
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;

  /** `onMessage` is told all that answers no call of ours; it must not throw. */
  constructor(
    socket: WebSocketConnection,
    options: { onMessage: (message: PanelMessage) => void },
  ) {
    this.#socket = socket;
    this.#onMessage = options.onMessage;
  }

  /** Deals with what comes until the connection has ended. */
  async run(): Promise<void> {
    try {
      for (;;) {
        const received = await this.#socket.receive();
        if (received === undefined) break;
        if (typeof received === "string") this.#handleMessage(parsePanelMessage(received));
      }
    } finally {
      for (const { name, reject } of this.#waiting.values()) reject(this.#closedError(name));
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
      this.#socket.send(encodeRpcCall(method, params, id)).catch(() =>
        reject(this.#closedError(name))
      );
      await promise;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
      this.#waiting.delete(id);
    }
  }

  #handleMessage(message: PanelMessage): void {
    // Without an id it is about something that the panel could not read.
    if (message.kind !== "answer" || message.id === undefined) return this.#onMessage(message);
    const waiting = this.#waiting.get(message.id);
    if (waiting === undefined) return;
    if (message.error === undefined) waiting.resolve();
    else waiting.reject(toPanelError(waiting.name, message.error));
  }

  #closedError(name: string): PanelError {
    const { closeReason: ending } = this.#socket;
    const why = ending === "" ? "the connection has ended" : ending;
    return new PanelError(`Cannot ${name}: ${why}`, { failure: "unreachable" });
  }
}

/** A link that says nothing for so long is dead. */
const ANSWER_MS = 10_000;
/** Over the older protocol good reports get no answer, and the interval comes on top of it. */
const PONG_MS = 4_000;

/** The panel by a WebSocket that stands, in either version of the protocol. */
export class PanelSocket {
  /** When it came to stand, in milliseconds of `performance.now()`. */
  readonly openedAtMs = performance.now();
  readonly #socket: WebSocketConnection;
  readonly #version: 1 | 2;
  readonly #rpc: RpcSocket;
  readonly #onMessage: (message: PanelMessage) => void;
  #pongTimer: ReturnType<typeof setTimeout> | undefined;
  #ended = false;
  #timedOut = false;

  /** `onMessage` is told all that answers no call of ours; it must not throw. */
  constructor(
    socket: WebSocketConnection,
    options: { version: 1 | 2; onMessage: (message: PanelMessage) => void },
  ) {
    this.#socket = socket;
    this.#version = options.version;
    this.#onMessage = options.onMessage;
    this.#rpc = new RpcSocket(socket, options);
  }

  /** Whether it was given up because nothing came any more. */
  get timedOut(): boolean {
    return this.#timedOut;
  }

  /** Who or what has ended it, as far as it matters for what to try next. */
  get end(): SocketEnd {
    return this.#timedOut ? "timed out" : this.#socket.protocolError ? "protocol error" : "closed";
  }

  /** Why it has ended, for the log. */
  get closeReason(): string {
    return this.#timedOut
      ? `no sign of life within ${ANSWER_MS / 1000} s`
      : this.#socket.closeReason;
  }

  /** Deals with what comes; resolves when the connection has ended. */
  async run(): Promise<void> {
    try {
      if (this.#version === 2) return await this.#rpc.run();
      for (;;) {
        const received = await this.#socket.receive();
        if (received === undefined) return;
        if (typeof received === "string") this.#onMessage(parsePanelMessage(received));
      }
    } finally {
      this.#ended = true;
      clearTimeout(this.#pongTimer);
    }
  }

  /**
   * Sends a report. Over version 2 its answer is the sign of life, over version 1 that of a ping
   * sent with it; without one the connection is ended.
   *
   * @throws {PanelError} When the panel did not take it or nothing came.
   */
  async sendReport(report: WireReport, signal: AbortSignal): Promise<void> {
    if (this.#version === 2) {
      try {
        return await this.call("agent.report", { report }, { timeoutMs: ANSWER_MS, signal });
      } catch (error) {
        if (error instanceof PanelError && error.failure === "timeout") this.#closeTimedOut();
        throw error;
      }
    }
    // Before anything leaves: an answer may be here sooner than the news that the ping has left.
    this.#expectPong();
    await this.#send(JSON.stringify(report));
    await this.#socket.ping().catch(() => {});
  }

  /** @throws {PanelError} When the panel did not take it or the connection has ended. */
  async sendProbeResult(result: WireProbeResult, signal: AbortSignal): Promise<void> {
    if (this.#version === 1) {
      return await this.#send(JSON.stringify({ type: "ping_result", ...result }));
    }
    await this.call("agent.pingResult", { ...result }, { timeoutMs: ANSWER_MS, signal });
  }

  /** Makes a call of version 2. @throws {PanelError} When the panel did not take it. */
  async call(
    method: string,
    params: Readonly<Record<string, unknown>>,
    options: { timeoutMs: number; signal: AbortSignal },
  ): Promise<void> {
    await this.#rpc.call({ method, params, ...options });
  }

  /** Ends the connection. */
  close(): void {
    this.#socket.close();
  }

  async #send(text: string): Promise<void> {
    try {
      await this.#socket.send(text);
    } catch {
      throw new PanelError(`Cannot send by WebSocket: ${this.closeReason}`, {
        failure: "unreachable",
      });
    }
  }

  #expectPong(): void {
    if (this.#ended || this.#pongTimer !== undefined) return;
    const askedAtMs = performance.now();
    this.#pongTimer = setTimeout(() => {
      this.#pongTimer = undefined;
      if (this.#socket.lastReceivedAtMs < askedAtMs) this.#closeTimedOut();
    }, PONG_MS);
  }

  #closeTimedOut(): void {
    this.#timedOut = true;
    this.#socket.close();
  }
}
