/**
 * What the page asks of the stand-in panel.
 *
 * A page of another host, open in the same browser, must never get anywhere: every call has to name
 * this machine as its host, what changes something has to come from the page's own origin as well,
 * and what runs a program has to bring the key, too.
 *
 * Carries a terminal between the page and the agent.
 *
 * @module
 */

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { WebSocket } from "ws";
import { type Answer, jsonAnswer, textAnswer } from "./answer.ts";
import { type Fault, parseFault } from "./fault.ts";
import { writeAnswer } from "./fault_player.ts";
import { type Exchange, headOf, type RequestHead } from "./http_call.ts";
import type { Orders } from "./orders.ts";
import { emulatorAnswer, refuseForeignHost, stateAnswer, streamEvents } from "./page.ts";
import type { PanelState } from "./panel_state.ts";
import { writeRawAnswer } from "./upgrade.ts";
import type { WebSockets } from "./websockets.ts";
import { parseWireObject, stringIn } from "./wire_json.ts";

/** What the page's calls work with. */
export interface PageContext {
  readonly state: PanelState;
  readonly orders: Orders;
  readonly signal: AbortSignal;
  /** What a call that runs a program has to bring; absent when none may run. */
  readonly key: string | undefined;
  readonly setFault: (fault: Fault | undefined) => Promise<void>;
}

/** Answers a call below `/demo/`. */
export async function answerPage(
  exchange: Exchange,
  { response, context }: { response: ServerResponse; context: PageContext },
): Promise<void> {
  const { method, path } = exchange;
  const { state, key, signal } = context;
  const refusal = refuseForeignHost(exchange.headers["host"]);
  if (refusal !== undefined) return writeAnswer(response, refusal);
  if (method === "POST") return writeAnswer(response, await change(exchange, context));
  if (path === "/demo/events") return streamEvents(response, { state, signal });
  if (path === "/demo/state") return writeAnswer(response, stateAnswer(state));
  if (path === "/demo/xterm.js" || path === "/demo/xterm.css") {
    if (key === undefined) return writeAnswer(response, textAnswer(404, "Remote control is off"));
    const file = path === "/demo/xterm.js" ? "xterm.js" : "xterm.css";
    return writeAnswer(response, await emulatorAnswer(file));
  }
  writeAnswer(response, textAnswer(404, "No such thing"));
}

/** Refuses what does not come from the page itself. */
export function refuseForeignPage({ headers }: RequestHead): Answer | undefined {
  return refuseForeignHost(headers["host"]) ??
    (headers["origin"] === `http://${headers["host"]}`
      ? undefined
      : textAnswer(403, "This is for the panel's own page alone."));
}

/** Refuses what would run a program without the key, and everything when there is none. */
export function refuseKeyless(brought: string | null, key: string | undefined): Answer | undefined {
  if (key === undefined) return textAnswer(403, "Remote control is off.");
  return brought === key
    ? undefined
    : textAnswer(403, "Open the page by the address that was printed at the start.");
}

async function change(exchange: Exchange, context: PageContext): Promise<Answer> {
  const refusal = refuseForeignPage(exchange);
  if (refusal !== undefined) return refusal;
  const wanted = parseWireObject(exchange.body);
  if (exchange.headers["content-type"] !== "application/json" || wanted === undefined) {
    return textAnswer(400, "This takes an object of JSON.");
  }
  try {
    switch (exchange.path) {
      case "/demo/fault": {
        const name = stringIn(wanted, "fault");
        if (name === "refuse") return textAnswer(409, "The page could not end it.");
        await context.setFault(name === "" ? undefined : parseFault(name));
        return jsonAnswer(200, {});
      }
      case "/demo/command": {
        const keyless = refuseKeyless(stringIn(wanted, "key"), context.key);
        if (keyless !== undefined) return keyless;
        const taskId = context.orders.sendCommand(stringIn(wanted, "command"));
        return jsonAnswer(200, { taskId });
      }
    }
  } catch (error) {
    return textAnswer(409, error instanceof Error ? error.message : "It failed.");
  }
  return textAnswer(404, "No such thing");
}

/** The path of the page's WebSocket; its query brings the key. */
export const TERMINAL_PATH = "/demo/terminal";

/** Answers the page's request for a terminal. */
export function answerPageTerminal(
  asking: { request: IncomingMessage; socket: Socket; head: Uint8Array },
  context: { orders: Orders; sockets: WebSockets; key: string | undefined },
): void {
  const head = headOf(asking.request);
  const refusal = refuseForeignPage(head) ?? refuseKeyless(head.query.get("key"), context.key);
  if (refusal !== undefined) return writeRawAnswer(asking.socket, refusal);
  context.sockets.accept(asking, {
    packs: false,
    use: (socket) => carry(socket, context.orders),
  });
}

function carry(socket: WebSocket, orders: Orders): void {
  socket.on("error", () => {});
  let id: string;
  try {
    id = orders.requestTerminal();
  } catch (error) {
    socket.send(error instanceof Error ? error.message : "It failed.", () => {});
    socket.close();
    return;
  }
  const terminal = orders.terminal(id);
  const gone = new AbortController();
  terminal.listen((output) => {
    if (output === undefined) socket.close();
    else if (output.length > 0) socket.send(output, { binary: true }, () => {});
  }, { signal: gone.signal });
  // Text is a message, such as a resize; keystrokes are bytes.
  socket.on("message", (data, isBinary) => {
    const bytes = new Uint8Array(data);
    terminal.send(isBinary ? bytes : new TextDecoder().decode(bytes));
  });
  socket.on("close", () => {
    gone.abort();
    terminal.end();
  });
}
