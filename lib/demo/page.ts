/**
 * The page of the stand-in panel: its files, and the answers to its requests.
 *
 * A foreign page in the same browser must not succeed: every request has to name this machine as its
 * host, and a change has to come from the page's own origin.
 *
 * @module
 */

import type { ServerResponse } from "node:http";
import { isJsonObject, parseJson } from "../parse/json.ts";
import { type Fault, parseFault } from "./fault.ts";
import {
  type Answer,
  htmlAnswer,
  jsonAnswer,
  type ReceivedRequest,
  textAnswer,
  writeAnswer,
} from "./http.ts";
import type { PanelNode } from "./node.ts";
import base from "./page/base.js" with { type: "text" };
import main from "./page/main.js" with { type: "text" };
import plots from "./page/plots.js" with { type: "text" };
import sections from "./page/sections.js" with { type: "text" };
import tiles from "./page/tiles.js" with { type: "text" };
import style from "./page/page.css" with { type: "text" };
import markup from "./page/page.html" with { type: "text" };
import { stateAnswer, streamEvents } from "./page_events.ts";

/** The page's files by the path that they are served at. */
const texts: Readonly<Record<string, string>> = {
  "page.css": style,
  "base.js": base,
  "main.js": main,
  "plots.js": plots,
  "sections.js": sections,
  "tiles.js": tiles,
};

const PAGE_FILES_PATH = "/demo/page/";

const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** The page itself, without data; it may load nothing but the panel's own files. */
export function pageAnswer(language: "en" | "zh"): Answer {
  const answer = htmlAnswer(200, markup.replace('lang="en"', `lang="${language}"`));
  return {
    ...answer,
    headers: {
      ...answer.headers,
      "content-security-policy": policy,
      "cache-control": "no-store",
      "referrer-policy": "no-referrer",
      "x-content-type-options": "nosniff",
    },
  };
}

/** A script or the style sheet of the page; `undefined` when there is none of that name. */
function fileAnswer(name: string): Answer | undefined {
  const body = Object.hasOwn(texts, name) ? texts[name] : undefined;
  return body === undefined ? undefined : {
    status: 200,
    headers: {
      "content-type": `text/${name.endsWith(".js") ? "javascript" : "css"}; charset=utf-8`,
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
    },
    body,
  };
}

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
    ? fileAnswer(path.slice(PAGE_FILES_PATH.length))
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

async function change(request: ReceivedRequest, panel: PageContext): Promise<Answer> {
  const { host, origin } = request.headers;
  if (origin !== `http://${host}`) {
    return textAnswer(403, "This is available to the panel's own page only.");
  }
  const value = parseJson(request.body);
  if (request.headers["content-type"] !== "application/json" || !isJsonObject(value)) {
    return textAnswer(400, "This takes an object of JSON.");
  }
  if (request.path !== "/demo/fault") return textAnswer(404, "No such thing");
  try {
    const { fault = "" } = value;
    await panel.setFault(fault === "" ? undefined : parseFault(`${fault}`));
    return jsonAnswer(200, {});
  } catch (error) {
    return textAnswer(409, error instanceof Error ? error.message : "It failed.");
  }
}
