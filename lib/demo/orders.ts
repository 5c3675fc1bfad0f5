/**
 * Orders that a test or the page gives to the node, and the terminals that it was asked for.
 *
 * @module
 */

import type { MessageSink } from "./message_sink.ts";
import type { PanelNode } from "./node.ts";
import { TerminalSession } from "./terminal_session.ts";

/** An agent has to dial a terminal within this time. */
const DIAL_TIMEOUT_MS = 30_000;

/** Sends orders to the node and keeps its terminals. */
export class Orders {
  readonly #node: PanelNode;
  readonly #sink: MessageSink;
  readonly #signal: AbortSignal;
  readonly #terminals = new Map<string, TerminalSession>();

  constructor(options: { node: PanelNode; sink: MessageSink; signal: AbortSignal }) {
    this.#node = options.node;
    this.#sink = options.sink;
    this.#signal = options.signal;
  }

  /** Whether orders can reach the node. */
  get isReachable(): boolean {
    return this.#node.isReachable;
  }

  /**
   * Sends a command and returns its task id.
   *
   * @throws {Error} When the node can't be reached (`Cannot send …`).
   */
  sendCommand(command: string): string {
    const taskId = randomId(16);
    if (!this.#node.sendOrder({ exec: { taskId, command } })) {
      throw new Error("Cannot send a command: the node has no WebSocket and polls no events");
    }
    this.#sink.expectResult(taskId);
    return taskId;
  }

  /** Orders a probe; false when the node can't be reached. */
  sendPing(ping: { id: number; kind: string; target: string }): boolean {
    return this.#node.sendOrder({ ping });
  }

  /**
   * Requests a terminal and returns the id of the request.
   *
   * @throws {Error} When the node has no WebSocket (`Cannot ask …`).
   */
  requestTerminal(): string {
    const requestId = randomId(32);
    if (!this.#node.sendOrder({ terminal: { requestId } })) {
      throw new Error("Cannot ask for a terminal: the node has no WebSocket");
    }
    const session = new TerminalSession(requestId);
    this.#terminals.set(requestId, session);
    const settled = new AbortController();
    const timer = setTimeout(() => {
      if (!session.isConnected) session.end();
    }, DIAL_TIMEOUT_MS);
    this.#signal.addEventListener("abort", () => session.end(), {
      once: true,
      signal: settled.signal,
    });
    session.listen((output) => {
      clearTimeout(timer);
      if (output === undefined) settled.abort();
    }, { signal: settled.signal });
    return requestId;
  }

  /** Finds the terminal of a request; throws when there was none. */
  terminal(requestId: string): TerminalSession {
    const session = this.#terminals.get(requestId);
    if (session === undefined) throw new Error("Cannot find the terminal: it was never requested");
    return session;
  }

  /** Finds a terminal that an agent may dial. */
  openTerminal(requestId: string): TerminalSession | undefined {
    const session = this.#terminals.get(requestId);
    return session === undefined || session.isOver ? undefined : session;
  }

  /**
   * Sends anything at all over the present WebSocket.
   *
   * @throws {Error} When there is none (`Cannot send …`).
   */
  sendRaw(message: string | Uint8Array<ArrayBuffer>): void {
    if (this.#node.socket === undefined) {
      throw new Error("Cannot send: the node has no WebSocket");
    }
    this.#node.socket.send(message);
  }
}

function randomId(length: number): string {
  return crypto.getRandomValues(new Uint8Array(length / 2)).toHex();
}
