/**
 * The terminals that the panel has requested.
 *
 * @module
 */

import type { PanelNode } from "../../lib/demo/node.ts";
import type { TestTerminal } from "./test_terminal.ts";

/** Requests terminals of the node and keeps them. */
export class TerminalSessions {
  readonly #node: PanelNode;
  readonly #signal: AbortSignal;
  readonly #create: (requestId: string) => TestTerminal;
  readonly #sessions = new Map<string, TestTerminal>();

  /** All terminals end when the signal aborts. */
  constructor(
    node: PanelNode,
    options: { signal: AbortSignal },
    create: (requestId: string) => TestTerminal,
  ) {
    this.#node = node;
    this.#signal = options.signal;
    this.#create = create;
  }

  /**
   * Requests a terminal and returns the id of the request.
   *
   * With the id of a session that was left, the agent is asked to connect it again.
   *
   * @throws {Error} When the node can't be reached (`Cannot ask …`).
   */
  request(requestId: string = randomId()): string {
    const known = this.#sessions.get(requestId);
    const session = known?.isOver === false ? known : this.#create(requestId);
    this.#sessions.set(requestId, session);
    session.attachBrowser();
    const params = { request_id: requestId };
    if (!this.#node.sendOrder({ method: "agent.terminal.request", params })) {
      session.end();
      this.#sessions.delete(requestId);
      throw new Error("Cannot ask for a terminal: the node has no WebSocket");
    }
    if (session !== known) {
      this.#signal.addEventListener("abort", () => session.end(), { once: true });
    }
    return requestId;
  }

  /** Finds the terminal of a request; throws when there was none. */
  get(requestId: string): TestTerminal {
    const session = this.#sessions.get(requestId);
    if (session === undefined) throw new Error("Cannot find the terminal: it was never requested");
    return session;
  }

  /** Finds a terminal that a page may take up again; `undefined` when it is over or unknown. */
  unfinished(requestId: string): TestTerminal | undefined {
    const session = this.#sessions.get(requestId);
    return session?.isOver === false ? session : undefined;
  }
}

function randomId(): string {
  return crypto.getRandomValues(new Uint8Array(16)).toHex();
}
