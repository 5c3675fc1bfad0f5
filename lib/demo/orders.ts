/**
 * Orders that a test or the page gives to the node, and the terminals and answers that it was asked
 * for.
 *
 * @module
 */

import type { StoredStartupConfig } from "./file_contract.ts";
import { FileManager } from "./file_manager.ts";
import type { TransferRegistry } from "./file_transfers.ts";
import type { MessageSink } from "./message_sink.ts";
import type { PanelNode } from "./node.ts";
import { TerminalSession } from "./terminal_session.ts";
import type { WireValue } from "./wire_json.ts";

/** Time that the panel waits for the agent's configuration. */
const CONFIG_TIMEOUT_MS = 20_000;

/** Sends orders to the node and keeps its terminals. */
export class Orders {
  /** The file manager; it works on panels from 1.5 on. */
  readonly files: FileManager;
  readonly #node: PanelNode;
  readonly #sink: MessageSink;
  readonly #signal: AbortSignal;
  readonly #hasSessions: boolean;
  readonly #terminals = new Map<string, TerminalSession>();
  readonly #configRequests = new Map<string, (config: WireValue | undefined) => void>();

  constructor(options: {
    node: PanelNode;
    sink: MessageSink;
    transfers: TransferRegistry;
    hasSessions: boolean;
    signal: AbortSignal;
  }) {
    this.files = new FileManager(options);
    this.#node = options.node;
    this.#sink = options.sink;
    this.#hasSessions = options.hasSessions;
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
   * With the id of a session that was left, the agent is asked to connect it again.
   *
   * @throws {Error} When the node can't be reached (`Cannot ask …`).
   */
  requestTerminal(requestId: string = randomId(32)): string {
    const known = this.#terminals.get(requestId);
    const session = known?.isOver === false
      ? known
      : new TerminalSession(requestId, { isSession: this.#hasSessions });
    this.#terminals.set(requestId, session);
    session.attachBrowser();
    if (!this.#node.sendOrder({ terminal: { requestId } })) {
      session.end();
      this.#terminals.delete(requestId);
      throw new Error("Cannot ask for a terminal: the node has no WebSocket");
    }
    if (session !== known) {
      this.#signal.addEventListener("abort", () => session.end(), { once: true });
    }
    return requestId;
  }

  /**
   * Requests a terminal again that was left; `undefined` when there is none to resume.
   *
   * @throws {Error} When the node can't be reached (`Cannot ask …`).
   */
  resumeTerminal(requestId: string): string | undefined {
    const session = this.#terminals.get(requestId);
    if (!this.#hasSessions || session === undefined || session.isOver) return undefined;
    return this.requestTerminal(requestId);
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
    return session?.acceptsDial === true ? session : undefined;
  }

  /**
   * Asks for the agent's configuration.
   *
   * @throws {Error} When the node can't be reached, refuses or does not answer within 20 s.
   */
  async requestStartupConfig(): Promise<WireValue> {
    const requestId = randomId(32);
    if (!this.#node.sendOrder({ startupConfig: { requestId } })) {
      throw new Error("Cannot ask for the configuration: the node can't be reached");
    }
    const { promise, resolve } = Promise.withResolvers<WireValue | undefined>();
    const timer = setTimeout(() => resolve(undefined), CONFIG_TIMEOUT_MS);
    this.#configRequests.set(requestId, resolve);
    try {
      const config = await promise;
      if (config === undefined) throw new Error("Cannot read the configuration: no answer");
      return config;
    } finally {
      clearTimeout(timer);
      this.#configRequests.delete(requestId);
    }
  }

  /** Handles an answer to a request for the configuration; false when none is expected. */
  receiveStartupConfig({ requestId, config }: StoredStartupConfig): boolean {
    const resolve = this.#configRequests.get(requestId);
    this.#configRequests.delete(requestId);
    resolve?.(config);
    return resolve !== undefined;
  }

  /** Orders the agent to change its version; false when the node can't be reached. */
  switchVersion(version: string): boolean {
    return this.#node.sendOrder({ switchVersion: { version } });
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
