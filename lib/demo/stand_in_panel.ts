/**
 * A panel for demonstration, development and tests: real HTTP on loopback, one node.
 *
 * @module
 */

import type { Fault } from "./fault.ts";
import { readHead } from "./http_request.ts";
import type { FileManager } from "./file_manager.ts";
import { TransferRegistry } from "./file_transfers.ts";
import { type Generation, type GenerationName, generations } from "./generation.ts";
import { Listener } from "./listener.ts";
import { MessageSink } from "./message_sink.ts";
import { PanelNode } from "./node.ts";
import { Orders } from "./orders.ts";
import { pageAnswer } from "./page.ts";
import { answerFileRequest, FILE_REQUESTS_PATH } from "./page_file_manager.ts";
import { answerPage, answerPageTerminal, PAGE_TERMINAL_PATH } from "./page_routes.ts";
import { PanelState } from "./panel_state.ts";
import type { WireTask } from "./contracts.ts";
import { loopbackTasks, schedulePings } from "./probe_tasks.ts";
import { RequestHandler } from "./request_handler.ts";
import { type RegisteredNodeEntry, Registry } from "./registry.ts";
import type { TerminalSession } from "./terminal_session.ts";
import type { WireValue } from "./wire_json.ts";
import { WebSocketAcceptor } from "./websocket_acceptor.ts";

/** The default port. */
export const DEFAULT_PORT = 25774;

/** A running panel. */
export interface StandInPanel {
  /** The endpoint for agents and the address of the page; no trailing slash. */
  readonly url: string;
  /** The page's address; with remote control it ends in the key that the page needs. */
  readonly pageUrl: string;
  readonly port: number;
  readonly token: string;
  /** Everything received so far; its `tasks` can be replaced. */
  readonly state: PanelState;
  /** The nodes that have registered so far. */
  readonly registrations: readonly RegisteredNodeEntry[];
  /** Removes the node of a token, which is refused from now on. */
  removeNode(token: string): void;
  /** Starts a fault, or ends it; resolves when the change is in force. */
  setFault(fault: Fault | undefined): Promise<void>;
  /**
   * Sends a command and returns its task id; the result comes to `state.commandResults`.
   *
   * @throws {Error} When the node can't be reached (`Cannot send …`).
   */
  sendCommand(command: string): string;
  /** Orders a probe now; false when the node can't be reached. */
  sendPing(ping: { id: number; kind: string; target: string }): boolean;
  /**
   * Requests a terminal and returns the id of the request; with the id of a session that was left,
   * the agent is asked to connect it again.
   *
   * @throws {Error} When the node can't be reached (`Cannot ask …`).
   */
  requestTerminal(requestId?: string): string;
  /** The terminal of that request. */
  terminal(requestId: string): TerminalSession;
  /** The file manager, of panels from 1.5 on. */
  readonly files: FileManager;
  /** Whether the panel shows the node as online. */
  readonly isOnline: boolean;
  /**
   * Asks for the agent's configuration, as panels of main do.
   *
   * @throws {Error} When the node can't be reached, refuses or does not answer within 20 s.
   */
  requestStartupConfig(): Promise<WireValue>;
  /** Orders the agent to change its version; false when the node can't be reached. */
  switchVersion(version: string): boolean;
  /**
   * Sends anything at all over the present WebSocket.
   *
   * @throws {Error} When the node has none (`Cannot send …`).
   */
  sendRaw(message: string | Uint8Array<ArrayBuffer>): void;
  /** Closes every connection of the agent, idle ones included. */
  dropConnections(options?: { reset?: boolean }): void;
  /** Closes the panel and every connection. */
  close(): Promise<void>;
}

/** Options of a panel. */
export interface StandInPanelOptions {
  /** The next free one when it is in use; 0 stands for any. */
  readonly port?: number;
  /** A random one when absent. */
  readonly token?: string;
  /** The key for auto-discovery, of 12 characters or more; without it registration is refused. */
  readonly discoveryKey?: string;
  readonly tasks?: readonly WireTask[];
  readonly fault?: Fault;
  /** The generation of the panel that is imitated; 1.4 by default. */
  readonly generation?: GenerationName | undefined;
  /** Whether the page offers commands and terminals, which run on this machine. */
  readonly remoteControl?: boolean;
  /** Language of the page; English by default. */
  readonly language?: "en" | "zh";
  /** Time that a pull waits for events; 25 s by default. */
  readonly pullWaitMs?: number;
  /** Time that a WebSocket may send no data; by default that of the generation. */
  readonly dataTimeoutMs?: number;
  /** Closes the panel when it aborts. */
  readonly signal?: AbortSignal;
}

/**
 * Starts a panel.
 *
 * @throws {Error} When no port is free (`Cannot listen on …`).
 */
export async function startStandInPanel(options: StandInPanelOptions = {}): Promise<StandInPanel> {
  options.signal?.throwIfAborted();
  const token = options.token ?? randomToken();
  const generationName = options.generation ?? "1.4";
  const generation: Generation = generations[generationName];
  const state = new PanelState(generation);
  state.tasks = options.tasks ?? [];
  const closing = new AbortController();
  const { signal } = closing;

  const sink = new MessageSink({ token, state, generation });
  const node = new PanelNode({ state, generation });
  const transfers = new TransferRegistry();
  const registry = new Registry(token, options.discoveryKey);
  const key = options.remoteControl === true ? randomToken() : undefined;
  const sockets = await WebSocketAcceptor.load();
  const orders = new Orders({
    ...{ node, sink, transfers, signal },
    hasSessions: generation.hasSessions,
  });
  const handler: RequestHandler = new RequestHandler({
    node: {
      registry,
      state,
      sink,
      node,
      signal,
      generation,
      orders,
      pullWaitMs: options.pullWaitMs ?? 25_000,
      dataTimeoutMs: options.dataTimeoutMs ?? generation.dataTimeoutMs,
    },
    sockets,
    transfers,
    page: pageAnswer({
      remoteControl: key !== undefined,
      language: options.language ?? "en",
      panel: generationName,
    }),
  }, {
    answerPage(request, response): Promise<void> {
      listener.exempt(response.socket);
      return answerPage(request, {
        response,
        context: {
          state,
          orders,
          signal,
          key,
          setFault: (fault): Promise<void> => handler.setFault(fault, listener),
        },
      });
    },
  });
  const listener = await Listener.open((request, response) => {
    if (!readHead(request).path.startsWith(FILE_REQUESTS_PATH)) {
      return handler.handle(request, response);
    }
    return answerFileRequest(request, { response, files: orders.files, key });
  }, {
    port: options.port ?? DEFAULT_PORT,
    onConnection: () => state.count("connections"),
    onUpgrade: async (request, socket, head) => {
      const upgrade = { request, socket, head };
      const isPage = readHead(request).path === PAGE_TERMINAL_PATH;
      if (isPage) answerPageTerminal(upgrade, { orders, sockets, key });
      else await handler.handleUpgrade(upgrade);
    },
  });
  schedulePings({ node, state, signal });

  const url = `http://127.0.0.1:${listener.port}`;
  const panel: StandInPanel = {
    url,
    pageUrl: key === undefined ? `${url}/` : `${url}/#${key}`,
    port: listener.port,
    token,
    state,
    registrations: registry.registrations,
    removeNode: (token) => registry.remove(token),
    setFault: (fault) => handler.setFault(fault, listener),
    sendCommand: (command) => orders.sendCommand(command),
    sendPing: (ping) => orders.sendPing(ping),
    requestTerminal: (requestId) => orders.requestTerminal(requestId),
    files: orders.files,
    get isOnline() {
      return node.isOnline;
    },
    requestStartupConfig: () => orders.requestStartupConfig(),
    switchVersion: (version) => orders.switchVersion(version),
    terminal: (requestId) => orders.terminal(requestId),
    sendRaw: (message) => orders.sendRaw(message),
    dropConnections: (options) => listener.dropConnections(options),
    close() {
      closing.abort();
      listener.close();
      return Promise.resolve();
    },
  };
  if (options.fault !== undefined) await panel.setFault(options.fault);
  options.signal?.addEventListener("abort", () => panel.close(), { once: true, signal });
  return panel;
}

function randomToken(): string {
  return crypto.getRandomValues(new Uint8Array(16)).toHex();
}

/**
 * Starts the panel of the command `demo`, with one probe of each kind.
 *
 * @throws {Error} When no port is free (`Cannot listen on …`).
 */
export async function startDemo(
  options: StandInPanelOptions = {},
): Promise<StandInPanel> {
  const panel = await startStandInPanel(options);
  panel.state.tasks = loopbackTasks(panel.port);
  return panel;
}
