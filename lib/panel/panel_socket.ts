import { abortable } from "@std/async/abortable";
import { describeCloseFrame, type WebSocketConnection } from "../net/websocket.ts";
import type { Acknowledgements } from "./acknowledgements.ts";
import { type RpcRequest, toPanelError } from "./client_v2.ts";
import { timeoutError } from "./http_exchange.ts";
import type { SocketEnd } from "./link_machine.ts";
import { ORDER_BYTES, readLongOrder } from "./orders.ts";
import type { MessageReceiver } from "./message_receiver.ts";
import { parsePanelMessage } from "./messages.ts";
import { failureOf, PanelError } from "./panel_error.ts";
import type { WireProbeResult, WireReport } from "./protocol.ts";

/** The code of a plugin that refuses a connection, and will refuse the next one. */
const POLICY_VIOLATION = 1008;

/** Newer panels close a WebSocket 75 s after the last message or ping, and routers forget it sooner. */
const PING_INTERVAL_MS = 15_000;
const PONG_TIMEOUT_MS = 10_000;

interface PendingCall {
  readonly method: string;
  readonly timeoutMs: number;
  /** In milliseconds of `performance.now()`. */
  readonly calledAtMs: number;
  timer?: ReturnType<typeof setTimeout>;
  resolve(): void;
  reject(reason: unknown): void;
}

/** The panel by an open WebSocket, in either version of the protocol. */
export class PanelSocket {
  /** When it was opened, in milliseconds of `performance.now()`. */
  readonly openedAtMs = performance.now();
  readonly #socket: WebSocketConnection;
  readonly #version: 1 | 2;
  readonly #receiver: MessageReceiver;
  readonly #acknowledgements: Acknowledgements;
  readonly #orderBytes: number;
  /** Calls of version 2 that are not answered yet, by id. */
  readonly #pending = new Map<number, PendingCall>();
  #lastId = 0;
  /** A report was answered, so that others follow. */
  #isReporting = false;
  #pongTimer: ReturnType<typeof setTimeout> | undefined;
  #pingTimer: ReturnType<typeof setInterval> | undefined;
  #isClosed = false;
  /** The timeout that has closed it. */
  #timedOutMs: number | undefined;
  /** Whether it was closed because the panel sent too much. */
  #isFlooded = false;

  constructor(
    socket: WebSocketConnection,
    options: {
      version: 1 | 2;
      receiver: MessageReceiver;
      acknowledgements: Acknowledgements;
      /** The longest order that is read. */
      orderBytes?: number;
    },
  ) {
    this.#socket = socket;
    this.#version = options.version;
    this.#receiver = options.receiver;
    this.#acknowledgements = options.acknowledgements;
    this.#orderBytes = options.orderBytes ?? ORDER_BYTES;
  }

  /** How it was closed, as far as it matters for the next step. */
  get end(): SocketEnd {
    if (this.#timedOutMs !== undefined) return "timed out";
    if (this.#isFlooded) return "flooded";
    const { closeFrame, protocolError } = this.#socket;
    if (closeFrame?.code === POLICY_VIOLATION) return "refused";
    if (closeFrame !== undefined) return "close frame";
    return protocolError ? "protocol error" : "closed";
  }

  /** Why it was closed, for the log. */
  get closeReason(): string {
    if (this.#isFlooded) return "the panel sends too many messages";
    if (this.#timedOutMs !== undefined) return `no answer within ${this.#timedOutMs / 1000} s`;
    const { closeFrame, closeReason } = this.#socket;
    const words = closeFrame && describeCloseFrame(closeFrame);
    return words ? `the panel closed the connection: ${words}` : closeReason;
  }

  /** Handles messages; resolves when the connection is closed. */
  async run(): Promise<void> {
    this.#socket.onFrame = (payloadBytes) => this.#count(payloadBytes);
    this.#socket.onSkipped = (message) =>
      this.#receiver.onMessage(readLongOrder(message, this.#orderBytes).order);
    while (await this.#receiveNext());
    this.#isClosed = true;
    clearTimeout(this.#pongTimer);
    clearInterval(this.#pingTimer);
    for (const [id, call] of this.#pending) {
      this.#settle(id, call);
      call.reject(this.#closedError(call.method));
    }
  }

  /**
   * Handles the next message; `false` when the connection is closed. In a function of its own, as the
   * loop would keep a message of megabytes until the next one comes.
   */
  async #receiveNext(): Promise<boolean> {
    const received = await this.#socket.receive();
    if (typeof received === "string") this.#receive(received);
    return received !== undefined;
  }

  /**
   * Sends a report. Without an answer in time the connection is closed: in version 2 the report is
   * answered, in version 1 a ping that is sent with it.
   *
   * @throws {PanelError} When the panel refused it or did not answer, or the connection is closed.
   */
  async sendReport(report: WireReport, timeoutMs: number): Promise<void> {
    if (this.#version === 1) {
      // Armed first: the answer may come before the ping's promise settles.
      this.#expectPong(timeoutMs);
      await this.#send(JSON.stringify(report));
      return await this.#socket.ping().catch(() => {});
    }
    try {
      await this.#acknowledgements.carry(
        { report },
        (params) => this.#ask({ method: "agent.report", params, timeoutMs }),
      );
      this.#isReporting = true;
    } catch (error) {
      if (failureOf(error) === "timeout") this.#closeTimedOut(timeoutMs);
      throw error;
    }
  }

  /** Sends a ping every 15 s, and closes the connection when nothing comes back for 10 s. */
  keepAlive(): void {
    if (this.#isClosed) return;
    this.#pingTimer ??= setInterval(() => {
      this.#expectPong(PONG_TIMEOUT_MS);
      this.#socket.ping().catch(() => {});
    }, PING_INTERVAL_MS);
  }

  /** Sends a report without asking for an answer. */
  notifyReport(report: WireReport): void {
    this.#limitCalls();
    const message = this.#version === 2
      ? { jsonrpc: "2.0", method: "agent.report", params: { report } }
      : report;
    // A connection that is closed ends run().
    this.#socket.send(JSON.stringify(message)).catch(() => {});
  }

  /** Sends the result of a probe over version 1. @throws {PanelError} When the connection is closed. */
  async sendProbeResult(result: WireProbeResult): Promise<void> {
    await this.#send(JSON.stringify({ type: "ping_result", ...result }));
  }

  /**
   * Makes a call of version 2 and waits for its answer.
   *
   * @throws {PanelError} When there is none in time, it is an error, or the connection is closed.
   * @throws The signal's reason when it aborts.
   */
  async call({ signal, ...request }: RpcRequest): Promise<void> {
    signal.throwIfAborted();
    await abortable(this.#ask(request), signal);
  }

  /** Makes a call that ends with the connection: a listener of a signal at each report costs 2 % of it. */
  #ask({ method, params, timeoutMs }: Omit<RpcRequest, "signal">): Promise<void> {
    const id = ++this.#lastId;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#limitCalls();
    const calledAtMs = performance.now();
    const call: PendingCall = { method, timeoutMs, calledAtMs, resolve, reject };
    this.#pending.set(id, call);
    if (!this.#isReporting) this.#limitCalls();
    this.#socket.send(JSON.stringify({ jsonrpc: "2.0", method, params, id })).catch(() => {
      this.#settle(id, call);
      reject(this.#closedError(method));
    });
    return promise;
  }

  /** An answer has come, or none will. */
  #settle(id: number, { timer }: PendingCall): void {
    clearTimeout(timer);
    this.#pending.delete(id);
  }

  /**
   * Sets the timers of the calls that are not answered yet. While reports are sent, only the next one or
   * the next call does: a timer for each call, which wakes the machine, took a twentieth of a report.
   */
  #limitCalls(): void {
    for (const [id, call] of this.#pending) {
      const { method, timeoutMs, calledAtMs } = call;
      call.timer ??= setTimeout(() => {
        this.#settle(id, call);
        call.reject(timeoutError(callName(method), timeoutMs));
      }, calledAtMs + timeoutMs - performance.now());
    }
  }

  /** Closes the connection. */
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

  #expectPong(timeoutMs: number): void {
    if (this.#isClosed || this.#pongTimer !== undefined) return;
    const sentAtMs = performance.now();
    this.#pongTimer = setTimeout(() => {
      this.#pongTimer = undefined;
      if (this.#socket.lastReceivedAtMs < sentAtMs) this.#closeTimedOut(timeoutMs);
    }, timeoutMs);
  }

  #closeTimedOut(timeoutMs: number): void {
    // The answer may wait behind what is not read yet.
    if (this.#receiver.limit.isExceeded) return;
    this.#timedOutMs = timeoutMs;
    this.#socket.close();
  }

  /** Counts a frame; the time until the next one is read, in milliseconds. */
  #count(payloadBytes: number): number {
    const { limit } = this.#receiver;
    const pauseMs = limit.take(payloadBytes);
    if (pauseMs > 0 && limit.isFlooded) {
      this.#isFlooded = true;
      this.#socket.close();
    }
    return pauseMs;
  }

  #receive(text: string): void {
    const message = parsePanelMessage(text);
    // An answer without an id is about a message that the panel could not read.
    if (message.kind !== "answer" || message.id === undefined || this.#version === 1) {
      return this.#receiver.onMessage(message);
    }
    const call = this.#pending.get(message.id);
    if (call === undefined) return;
    this.#settle(message.id, call);
    this.#receiver.limit.giveBack();
    if (message.error === undefined) call.resolve();
    else call.reject(toPanelError(callName(call.method), message.error));
  }

  #closedError(method: string): PanelError {
    const reason = this.closeReason || "the connection is closed";
    const message = `Cannot ${callName(method)}: ${reason}`;
    const closeCode = this.#socket.closeFrame?.code;
    return new PanelError(message, { failure: "unreachable", closeCode });
  }
}

/** Names a call in an error's message, behind "Cannot". */
function callName(method: string): string {
  return `send ${method} by WebSocket`;
}
