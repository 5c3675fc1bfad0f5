/**
 * What the page asks of the stand-in panel.
 *
 * A page of another host, open in the same browser, must never get anywhere: every call has to name
 * this machine as its host, what changes something has to come from the page's own origin as well,
 * and what runs a program has to bring the key, too.
 *
 * @module
 */

import type { ServerResponse } from "node:http";
import { type Answer, jsonAnswer, textAnswer } from "./answer.ts";
import type { Exchange, RequestHead } from "./exchange.ts";
import { type Fault, parseFault } from "./fault.ts";
import { writeAnswer } from "./fault_player.ts";
import type { Orders } from "./orders.ts";
import { refuseForeignHost, stateAnswer, streamEvents } from "./page.ts";
import type { PanelState } from "./panel_state.ts";
import { emulatorAnswer } from "./terminal_emulator.ts";
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
