/**
 * What a test or the page asks the panel to order.
 *
 * @module
 */

import type { Intake } from "./message_sink.ts";
import type { Node } from "./node.ts";
import { TerminalSession } from "./terminal_session.ts";

/** How long an agent may take to dial a terminal. */
const DIAL_MS = 30_000;

/** Gives orders to the node and remembers the terminals that it asked for. */
export class Orders {
  readonly #node: Node;
  readonly #intake: Intake;
  readonly #signal: AbortSignal;
  readonly #terminals = new Map<string, TerminalSession>();

  constructor(options: { node: Node; intake: Intake; signal: AbortSignal }) {
    this.#node = options.node;
    this.#intake = options.intake;
    this.#signal = options.signal;
  }

  /** Whether a way leads to the node. */
  get isReachable(): boolean {
    return this.#node.isReachable;
  }

  /** Sends a command and gives the task's id; throws when no way leads to the node. */
  sendCommand(command: string): string {
    const taskId = randomId(16);
    if (!this.#node.order({ exec: { taskId, command } })) {
      throw new Error("Cannot send a command: the node has no WebSocket and takes no events");
    }
    this.#intake.expect(taskId);
    return taskId;
  }

  /** Orders a probe; false when no way leads to the node. */
  sendPing(ping: { id: number; kind: string; target: string }): boolean {
    return this.#node.order({ ping });
  }

  /** Asks for a terminal and gives the request's id; throws when the node has no WebSocket. */
  requestTerminal(): string {
    const requestId = randomId(32);
    if (!this.#node.order({ terminal: { requestId } })) {
      throw new Error("Cannot ask for a terminal: the node has no WebSocket");
    }
    const session = new TerminalSession(requestId);
    this.#terminals.set(requestId, session);
    const settled = new AbortController();
    const timer = setTimeout(() => {
      if (!session.isConnected) session.end();
    }, DIAL_MS);
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

  /** The terminal of a request; throws when there was none. */
  terminal(requestId: string): TerminalSession {
    const session = this.#terminals.get(requestId);
    if (session === undefined) throw new Error("Cannot find the terminal: it was never asked for");
    return session;
  }

  /** The terminal that an agent may dial. */
  dialled(requestId: string): TerminalSession | undefined {
    const session = this.#terminals.get(requestId);
    return session === undefined || session.isOver ? undefined : session;
  }

  /** Sends anything at all over the present WebSocket; throws when there is none. */
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
