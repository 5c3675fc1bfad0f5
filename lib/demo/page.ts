/**
 * The page of the stand-in panel: its files, and the answers to its requests.
 *
 * A foreign page in the same browser must not succeed: every request has to name this machine as its
 * host, and a change has to come from the page's own origin.
 *
 * @module
 */

import { isJsonObject, parseJson } from "../parse/json.ts";
import { type Fault, parseFault } from "./fault.ts";
import type { PanelNode } from "./node.ts";
import base from "./page/base.js" with { type: "text" };
import main from "./page/main.js" with { type: "text" };
import plots from "./page/plots.js" with { type: "text" };
import sections from "./page/sections.js" with { type: "text" };
import tiles from "./page/tiles.js" with { type: "text" };
import style from "./page/page.css" with { type: "text" };
import markup from "./page/page.html" with { type: "text" };
import { streamEvents } from "./page_events.ts";
import { readBody } from "./rpc.ts";

/** The page's files by the path that they are served at. */
const texts: Readonly<Record<string, string>> = {
  "/demo/page/page.css": style,
  "/demo/page/base.js": base,
  "/demo/page/main.js": main,
  "/demo/page/plots.js": plots,
  "/demo/page/sections.js": sections,
  "/demo/page/tiles.js": tiles,
};

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
export function pageAnswer(language: "en" | "zh"): Response {
  return new Response(markup.replace('lang="en"', `lang="${language}"`), {
    headers: {
      ...fileHeaders("html"),
      "content-security-policy": policy,
      "referrer-policy": "no-referrer",
    },
  });
}

/** A script or the style sheet of the page; 404 when there is none. */
function fileAnswer(path: string): Response {
  const text = Object.hasOwn(texts, path) ? texts[path] : undefined;
  if (text === undefined) return textAnswer(404, "No such thing");
  return new Response(text, { headers: fileHeaders(path.endsWith(".js") ? "javascript" : "css") });
}

function fileHeaders(type: string): Record<string, string> {
  return {
    "content-type": `text/${type}; charset=utf-8`,
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
  };
}

/** The panel, as far as the page sees and changes it. */
export interface PageContext {
  readonly node: PanelNode;
  /** Aborts when the panel closes. */
  readonly signal: AbortSignal;
  setFault(fault: Fault | undefined): void;
}

/** Answers a request below `/demo/`. */
export async function answerPage(request: Request, panel: PageContext): Promise<Response> {
  // A foreign host name may have been made to resolve to loopback.
  const isOwn = /^(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/.test(request.headers.get("host") ?? "");
  if (!isOwn) return textAnswer(403, "This page is available on this machine only.");
  if (request.method === "POST") return await change(request, panel);
  const { pathname } = new URL(request.url);
  return pathname === "/demo/events" ? streamEvents(panel.node, panel) : fileAnswer(pathname);
}

async function change(request: Request, panel: PageContext): Promise<Response> {
  const { headers, url } = request;
  if (headers.get("origin") !== `http://${headers.get("host")}`) {
    return textAnswer(403, "This is available to the panel's own page only.");
  }
  const value = parseJson(await readBody(request, { maxBytes: 1024 }) ?? "");
  if (headers.get("content-type") !== "application/json" || !isJsonObject(value)) {
    return textAnswer(400, "This takes an object of JSON.");
  }
  if (new URL(url).pathname !== "/demo/fault") return textAnswer(404, "No such thing");
  try {
    const { fault = "" } = value;
    panel.setFault(fault === "" ? undefined : parseFault(`${fault}`));
    return Response.json({});
  } catch (error) {
    return textAnswer(409, error instanceof Error ? error.message : "It failed.");
  }
}

function textAnswer(status: number, text: string): Response {
  return new Response(text, { status });
}
