/**
 * The stand-in panel's page and what it shows.
 *
 * The page is told by Server-Sent Events: the whole state when it connects, then each arrival as
 * it comes, so that nothing is asked for or sent while nothing happens.
 *
 * The files of the terminal emulator that the page shows terminals with.
 *
 * @module
 */

import type { ServerResponse } from "node:http";
import manifest from "../../deno.json" with { type: "json" };
import { type Answer, htmlAnswer, jsonAnswer, textAnswer } from "./answer.ts";
import { faultNames, faults } from "./fault.ts";
import text from "./page.html" with { type: "text" };
import type { Arrival, News, PanelState } from "./panel_state.ts";
import type { WireReport } from "./report_contract.ts";

/** How much of a stream may wait for a page that does not read. */
const MOST_PENDING_BYTES = 4 * 1024 * 1024;
const MOST_RESULT_CHARACTERS = 64 * 1024;
const VIOLATIONS_SHOWN = 20;

/** The page itself, which holds no data; with remote control it may load the panel's own script. */
export async function pageAnswer(options: { remoteControl: boolean }): Promise<Answer> {
  const ownScripts = options.remoteControl ? " 'self'" : "";
  const policy = [
    "default-src 'none'",
    `script-src ${await hashOf("script")}${ownScripts}`,
    `style-src ${await hashOf("style")}`,
    "connect-src 'self'",
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
  const setting = `data-remote-control="${options.remoteControl ? "on" : "off"}"`;
  const answer = htmlAnswer(200, text.replace('data-remote-control="off"', setting));
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

/** Everything that the page shows, as JSON. */
export function stateAnswer(state: PanelState): Answer {
  const answer = jsonAnswer(200, wholeState(state));
  return { ...answer, headers: { ...answer.headers, "cache-control": "no-store" } };
}

/** Refuses what a page of another host asks for: a name that was bent to point at loopback. */
export function refuseForeignHost(host: string | undefined): Answer | undefined {
  const name = host?.replace(/:\d+$/, "");
  return name === "127.0.0.1" || name === "localhost" || name === "[::1]"
    ? undefined
    : textAnswer(403, "This page is for this machine alone.");
}

/** Sends the whole state, then each piece of news, until the page or the panel goes. */
export function streamEvents(
  response: ServerResponse,
  options: { state: PanelState; signal: AbortSignal },
): void {
  const { state } = options;
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
  const send = (event: unknown) => {
    response.write(`data: ${JSON.stringify(event)}\n\n`);
    if (response.writableLength > MOST_PENDING_BYTES) response.destroy();
  };
  send(wholeState(state));
  state.listen((news) => {
    const change = changeOf(news, state);
    if (change !== undefined) send({ ...change, counts: state.counts });
  }, { signal: AbortSignal.any([gone.signal, options.signal]) });
}

function wholeState(state: PanelState): unknown {
  const latest = state.reports.at(-1);
  return {
    nowMs: Date.now(),
    history: state.reports.map(point),
    pingHistory: state.pingResults.map((result) => [
      result.atMs,
      result.value.taskId,
      result.value.valueMs,
    ]),
    ...(latest === undefined ? {} : { report: reportOf(latest) }),
    basicInfo: state.columns,
    tasks: state.tasks,
    fault: state.fault?.name ?? "",
    faults: faultNames().map((name) => [name, faults[name]]),
    violations: state.violations.slice(-VIOLATIONS_SHOWN),
    counts: state.counts,
  };
}

function changeOf(news: News, state: PanelState): Record<string, unknown> | undefined {
  if ("report" in news) return { report: reportOf(news.report), history: [point(news.report)] };
  if ("pingResult" in news) {
    const { atMs, value } = news.pingResult;
    return { pingHistory: [[atMs, value.taskId, value.valueMs]] };
  }
  if ("basicInfo" in news) return { basicInfo: state.columns };
  if ("commandResult" in news) {
    const { taskId, result, exitCode } = news.commandResult.value;
    return { commandResult: { taskId, exitCode, result: result.slice(0, MOST_RESULT_CHARACTERS) } };
  }
  if ("violation" in news) return { violations: [news.violation] };
  if ("tasks" in news) return { tasks: news.tasks };
  if ("fault" in news) return { fault: news.fault?.name ?? "" };
  return undefined;
}

function reportOf(arrival: Arrival<WireReport>): unknown {
  return { ...arrival.value, atMs: arrival.atMs, by: arrival.by };
}

/** What the plots need of a report: time, CPU, memory taken, memory, up, down. */
function point({ atMs, value }: Arrival<WireReport>): number[] {
  return [
    atMs,
    value.cpu.usage,
    value.ram.used,
    value.ram.total,
    value.network.up,
    value.network.down,
  ];
}

/** The hash by which the policy lets the page's own script or style run, and no other. */
async function hashOf(element: "script" | "style"): Promise<string> {
  const start = text.indexOf(">", text.indexOf(`<${element}`)) + 1;
  const inner = text.slice(start, text.indexOf(`</${element}>`, start));
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(inner));
  return `'sha256-${new Uint8Array(digest).toBase64()}'`;
}

/**
 * The emulator's script or style sheet.
 *
 * Asked of the runtime when a page wants it, and named in no import: the bundle would hold half a MB
 * more for everybody.
 *
 * @throws {Error} When the package is neither there nor to be had (`Cannot load …`).
 */
export async function emulatorAnswer(file: "xterm.js" | "xterm.css"): Promise<Answer> {
  const name: string = manifest.imports["@xterm/xterm"];
  const isScript = file === "xterm.js";
  try {
    // The runtime finds a text only in a package that it has met as a module.
    await import(`${name}/package.json`, { with: { type: "json" } });
    const path = `${name}/${isScript ? "lib" : "css"}/${file}`;
    const text: { default: string } = await import(path, { with: { type: "text" } });
    return {
      status: 200,
      headers: {
        "content-type": `text/${isScript ? "javascript" : "css"}; charset=utf-8`,
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
      },
      body: text.default,
    };
  } catch (cause) {
    throw new Error(`Cannot load ${name}`, { cause });
  }
}
