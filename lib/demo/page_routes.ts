/**
 * Answers the requests of the page.
 *
 * A foreign page in the same browser must not succeed: every request has to name this machine as its
 * host, and a change has to come from the page's own origin.
 *
 * @module
 */

import type { ServerResponse } from "node:http";
import { isJsonObject, parseJson } from "../parse/json.ts";
import { type Fault, parseFault } from "./fault.ts";
import { type Answer, jsonAnswer, textAnswer, writeAnswer } from "./http_answer.ts";
import type { ReceivedRequest, RequestHead } from "./http_request.ts";
import { textIn } from "./messages.ts";
import type { PanelNode } from "./node.ts";
import { PAGE_FILES_PATH, pageFileAnswer } from "./page.ts";
import { stateAnswer, streamEvents } from "./page_events.ts";

/** The panel, as far as the page sees and changes it. */
export interface PageContext {
  readonly node: PanelNode;
  /** Aborts when the panel closes. */
  readonly signal: AbortSignal;
  setFault(fault: Fault | undefined): Promise<void>;
}

/** Answers a request below `/demo/`. */
export async function answerPage(
  request: ReceivedRequest,
  response: ServerResponse,
  panel: PageContext,
): Promise<void> {
  const { method, path } = request;
  const { node } = panel;
  const refusal = refuseForeignHost(request.headers["host"]);
  if (refusal !== undefined) return writeAnswer(response, refusal);
  if (method === "POST") return writeAnswer(response, await change(request, panel));
  if (path === "/demo/events") return streamEvents(response, node, panel);
  if (path === "/demo/state") return writeAnswer(response, stateAnswer(node));
  const file = path.startsWith(PAGE_FILES_PATH)
    ? pageFileAnswer(path.slice(PAGE_FILES_PATH.length))
    : undefined;
  writeAnswer(response, file ?? textAnswer(404, "No such thing"));
}

/** Refuses requests by a foreign host name, such as one that was made to resolve to loopback. */
function refuseForeignHost(host: string | undefined): Answer | undefined {
  const name = host?.replace(/:\d+$/, "");
  return name === "127.0.0.1" || name === "localhost" || name === "[::1]"
    ? undefined
    : textAnswer(403, "This page is available on this machine only.");
}

/** Refuses requests that don't come from the page itself. */
function refuseForeignPage({ headers }: RequestHead): Answer | undefined {
  return refuseForeignHost(headers["host"]) ??
    (headers["origin"] === `http://${headers["host"]}`
      ? undefined
      : textAnswer(403, "This is available to the panel's own page only."));
}

async function change(request: ReceivedRequest, panel: PageContext): Promise<Answer> {
  const refusal = refuseForeignPage(request);
  if (refusal !== undefined) return refusal;
  const value = parseJson(request.body);
  if (request.headers["content-type"] !== "application/json" || !isJsonObject(value)) {
    return textAnswer(400, "This takes an object of JSON.");
  }
  if (request.path !== "/demo/fault") return textAnswer(404, "No such thing");
  try {
    const name = textIn(value, "fault");
    const fault = name === "" ? undefined : parseFault(name);
    if (fault?.isDown === true) return textAnswer(409, "The page could not end it.");
    await panel.setFault(fault);
    return jsonAnswer(200, {});
  } catch (error) {
    return textAnswer(409, error instanceof Error ? error.message : "It failed.");
  }
}
