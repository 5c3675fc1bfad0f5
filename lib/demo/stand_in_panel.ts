/**
 * A panel for demonstration, development and tests: real HTTP on loopback, one node.
 *
 * The `demo` command's own part: a stand-in panel with one probe of each kind.
 *
 * @module
 */

import { Calls } from "./calls.ts";
import { loopbackTasks, type WireTask } from "./contracts.ts";
import type { Fault } from "./fault.ts";
import { headOf } from "./http_call.ts";
import { Listener } from "./listener.ts";
import { Intake } from "./message_sink.ts";
import { Node } from "./node.ts";
import { Orders } from "./orders.ts";
import { pageAnswer } from "./page.ts";
import { answerPage, answerPageTerminal, TERMINAL_PATH } from "./page_calls.ts";
import { PanelState } from "./panel_state.ts";
import { schedulePings } from "./ping_schedule.ts";
import { type Registration, Registry } from "./registry.ts";
import type { TerminalSession } from "./terminal_session.ts";
import { WebSockets } from "./websockets.ts";

/** The port that is tried first. */
export const DEFAULT_PORT = 25774;

/** A panel that runs. */
export interface StandInPanel {
  /** The endpoint for agents and the address of the page; no trailing slash. */
  readonly url: string;
  /** The page's address; with remote control it ends in the key that the page has to bring. */
  readonly pageUrl: string;
  readonly port: number;
  readonly token: string;
  /** What arrived so far; its `tasks` are what the next task list names. */
  readonly state: PanelState;
  /** Who has registered himself so far. */
  readonly registrations: readonly Registration[];
  /** Removes the node of that token: whoever comes with it is a stranger from now on. */
  forget(token: string): void;
  /** Misbehaves from now on, or no longer; resolves when the change is in force. */
  setFault(fault: Fault | undefined): Promise<void>;
  /**
   * Sends a command and gives its task id; the result comes to `state.commandResults`.
   *
   * @throws {Error} When no way leads to the node (`Cannot send …`).
   */
  sendCommand(command: string): string;
  /** Orders a probe now; false when no way leads to the node. */
  sendPing(ping: { id: number; kind: string; target: string }): boolean;
  /**
   * Asks for a terminal and gives the request's id.
   *
   * @throws {Error} When the node has no WebSocket (`Cannot ask …`).
   */
  requestTerminal(): string;
  /** The terminal that was asked for under that id. */
  terminal(requestId: string): TerminalSession;
  /**
   * Sends anything at all over the present WebSocket.
   *
   * @throws {Error} When the node has none (`Cannot send …`).
   */
  sendRaw(message: string | Uint8Array<ArrayBuffer>): void;
  /** Hangs up on every connection of the agent, idle ones too. */
  dropConnections(options?: { reset?: boolean }): void;
  /** Ends the panel and every connection. */
  close(): Promise<void>;
}

/** How to start a panel. */
export interface StandInPanelOptions {
  /** The next free one when it is taken; 0 takes any. */
  readonly port?: number;
  /** A random one when absent. */
  readonly token?: string;
  /** With it agents can register themselves; 12 letters at least. */
  readonly discoveryKey?: string;
  readonly tasks?: readonly WireTask[];
  readonly fault?: Fault;
  /** The newest version of the interface; 1 is a panel of 1.1.8, 2 (the default) of 1.4.3. */
  readonly speaks?: 1 | 2;
  /** Whether the page offers commands and terminals, which run on this machine. */
  readonly remoteControl?: boolean;
  /** How long a pull waits for events: 25 s. */
  readonly holdMs?: number;
  /** How long a WebSocket may bring no data: 11 s. */
  readonly silenceMs?: number;
  /** Ends the panel when it aborts. */
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
  const state = new PanelState();
  state.tasks = options.tasks ?? [];
  const closing = new AbortController();
  const { signal } = closing;
  const intake = new Intake({ token, state });
  const node = new Node(state);
  const registry = new Registry(token, options.discoveryKey);
  const key = options.remoteControl === true ? randomToken() : undefined;
  const sockets = await WebSockets.load();
  const orders = new Orders({ node, intake, signal });
  const calls: Calls = new Calls({
    node: {
      registry,
      state,
      intake,
      node,
      signal,
      speaks: options.speaks ?? 2,
      holdMs: options.holdMs ?? 25_000,
      silenceMs: options.silenceMs ?? 11_000,
    },
    orders,
    sockets,
    page: await pageAnswer({ remoteControl: key !== undefined }),
  }, {
    show(exchange, response): Promise<void> {
      listener.spare(response.socket);
      return answerPage(exchange, {
        response,
        context: {
          state,
          orders,
          signal,
          key,
          setFault: (fault): Promise<void> => calls.setFault(fault, listener),
        },
      });
    },
  });
  const listener = await Listener.open((request, response) => calls.answer(request, response), {
    port: options.port ?? DEFAULT_PORT,
    onConnection: () => state.count("connections"),
    onUpgrade: async (request, socket, head) => {
      const asking = { request, socket, head };
      const isPage = headOf(request).path === TERMINAL_PATH;
      if (isPage) answerPageTerminal(asking, { orders, sockets, key });
      else await calls.upgrade(asking);
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
    forget: (token) => registry.forget(token),
    setFault: (fault) => calls.setFault(fault, listener),
    sendCommand: (command) => orders.sendCommand(command),
    sendPing: (ping) => orders.sendPing(ping),
    requestTerminal: () => orders.requestTerminal(),
    terminal: (requestId) => orders.terminal(requestId),
    sendRaw: (message) => orders.sendRaw(message),
    dropConnections: (options) => listener.drop(options),
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
 * Starts the panel that an agent then reports to, by its `url` and `token`.
 *
 * @throws {Error} When no port is free (`Cannot listen on …`).
 */
export async function startDemo(
  options: { port?: number; fault?: Fault; remoteControl?: boolean; signal?: AbortSignal } = {},
): Promise<StandInPanel> {
  const panel = await startStandInPanel(options);
  panel.state.tasks = loopbackTasks(panel.port);
  return panel;
}
