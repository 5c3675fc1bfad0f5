/**
 * A panel for demonstration, development and tests: real HTTP on loopback, one node.
 *
 * @module
 */

import type { IncomingMessage, ServerResponse } from "node:http";
import { answerCall, callName, type Exchange } from "./api.ts";
import { textAnswer } from "./answer.ts";
import { type Fault, strikes } from "./fault.ts";
import { playFault, writeAnswer } from "./fault_player.ts";
import { Listener } from "./listener.ts";
import { pageAnswer, refuseForeignHost, stateAnswer, streamEvents } from "./page.ts";
import { PanelState } from "./panel_state.ts";
import type { WireTask } from "./wire_task.ts";

/** The port that is tried first. */
export const DEFAULT_PORT = 25774;

/** No message of the contract comes near it. */
const LARGEST_BODY_BYTES = 8 * 1024 * 1024;

/** A panel that runs. */
export interface StandInPanel {
  /** The endpoint for agents and the address of the page; no trailing slash. */
  readonly url: string;
  readonly port: number;
  readonly token: string;
  /** What arrived so far; its `tasks` are what the next task list names. */
  readonly state: PanelState;
  /** Misbehaves from now on, or no longer; resolves when the change is in force. */
  setFault(fault: Fault | undefined): Promise<void>;
  /** Ends the panel and every connection. */
  close(): Promise<void>;
}

/** How to start a panel. */
export interface StandInPanelOptions {
  /** The next free one when it is taken; 0 takes any. */
  readonly port?: number;
  /** A random one when absent. */
  readonly token?: string;
  readonly tasks?: readonly WireTask[];
  readonly fault?: Fault;
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
  const page = await pageAnswer();

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const exchange = await readExchange(request);
    if (exchange === undefined) return writeAnswer(response, textAnswer(413, "Too large"));
    if (exchange.path.startsWith("/demo/")) return showState(exchange, response);
    const isCall = exchange.path.startsWith("/api/");
    const fault = isCall ? state.fault : undefined;
    const struck = fault !== undefined && strikes(fault, callName(exchange)) ? fault : undefined;
    const { atMs, method, path, headers } = exchange;
    const note = (status?: number) =>
      state.addCall({ atMs, method, path, headers, ...(status === undefined ? {} : { status }) });

    if (struck !== undefined) {
      const played = playFault(struck, { response, signal: closing.signal });
      if (struck.name !== "slow" && struck.name !== "no-extra-columns") {
        note(response.headersSent ? response.statusCode : undefined);
      }
      if (await played) return;
    }
    const oldPanel = struck?.name === "no-extra-columns";
    const answer = answerCall(exchange, { token, state, oldPanel }) ?? page;
    writeAnswer(response, answer);
    note(answer.status);
  }

  function showState(exchange: Exchange, response: ServerResponse): void {
    const refusal = refuseForeignHost(exchange.headers["host"]);
    if (refusal !== undefined) return writeAnswer(response, refusal);
    if (exchange.path !== "/demo/events") return writeAnswer(response, stateAnswer(state));
    listener.spare(response.socket);
    streamEvents(response, { state, signal: closing.signal });
  }

  const listener = await Listener.open(handle, {
    port: options.port ?? DEFAULT_PORT,
    onConnection: () => state.addConnection(),
  });

  const panel: StandInPanel = {
    url: `http://127.0.0.1:${listener.port}`,
    port: listener.port,
    token,
    state,
    async setFault(fault) {
      if (fault?.name === "refuse") listener.pause();
      else if (!closing.signal.aborted) await listener.resume();
      state.fault = fault;
    },
    close() {
      closing.abort();
      listener.close();
      return Promise.resolve();
    },
  };
  if (options.fault !== undefined) await panel.setFault(options.fault);
  options.signal?.addEventListener("abort", () => panel.close(), {
    once: true,
    signal: closing.signal,
  });
  return panel;
}

async function readExchange(request: IncomingMessage): Promise<Exchange | undefined> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let length = 0;
  for await (const chunk of request) {
    const bytes = new Uint8Array(chunk);
    length += bytes.length;
    if (length > LARGEST_BODY_BYTES) return undefined;
    chunks.push(bytes);
  }
  const url = request.url ?? "/";
  const queryAt = url.indexOf("?");
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(request.headers)) {
    if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(", ") : value;
  }
  return {
    atMs: Date.now(),
    method: request.method ?? "GET",
    path: queryAt === -1 ? url : url.slice(0, queryAt),
    query: new URLSearchParams(queryAt === -1 ? "" : url.slice(queryAt + 1)),
    headers,
    body: await new Blob(chunks).text(),
  };
}

function randomToken(): string {
  return crypto.getRandomValues(new Uint8Array(16)).toHex();
}
