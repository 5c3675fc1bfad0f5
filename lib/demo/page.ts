/**
 * The stand-in panel's page, the events that it shows, and its terminal emulator.
 *
 * The page gets Server-Sent Events: the whole state when it connects, then each change. Nothing is
 * sent while nothing changes.
 *
 * @module
 */

import type { ServerResponse } from "node:http";
import manifest from "../../deno.json" with { type: "json" };
import { type Answer, htmlAnswer, jsonAnswer, textAnswer } from "./http_answer.ts";
import type { StoredTaskResult } from "./contracts.ts";
import type { GenerationName } from "./generation.ts";
import { faultNames, faults } from "./fault.ts";
import style from "./page.css" with { type: "text" };
import markup from "./page.html" with { type: "text" };
import script from "./page.js" with { type: "text" };
import type { PanelState, ReceivedMessage, StateChange } from "./panel_state.ts";
import type { StoredReport } from "./report_contract.ts";

/** Maximum size of events that wait for a page that does not read. */
const MAX_PENDING_BYTES = 4 * 1024 * 1024;
const MAX_RESULT_CHARACTERS = 64 * 1024;
const VIOLATIONS_SHOWN = 20;

/** Settings of the page that hold before its first event. */
export interface PageSettings {
  readonly remoteControl: boolean;
  readonly language: "en" | "zh";
  /** The generation of the panel. */
  readonly panel: GenerationName;
}

/** The page itself, without data; with remote control it may load scripts of the panel. */
export async function pageAnswer(
  { remoteControl, language, panel }: PageSettings,
): Promise<Answer> {
  const ownScripts = remoteControl ? " 'self'" : "";
  const policy = [
    "default-src 'none'",
    `script-src ${await hashOf(script)}${ownScripts}`,
    `style-src ${await hashOf(style)}`,
    "connect-src 'self'",
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
  const body = markup
    .replace('lang="en"', `lang="${language}"`)
    .replace('data-remote-control="off"', `data-remote-control="${remoteControl ? "on" : "off"}"`)
    .replace('data-panel=""', `data-panel="${panel}"`)
    .replace("<style></style>", () => `<style>${style}</style>`)
    .replace("<script></script>", () => `<script>${script}</script>`);
  const answer = htmlAnswer(200, body);
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

/** Everything that the page shows, in JSON. */
export function stateAnswer(state: PanelState): Answer {
  const answer = jsonAnswer(200, wholeState(state));
  return { ...answer, headers: { ...answer.headers, "cache-control": "no-store" } };
}

/** Refuses requests by a foreign host name, such as one that was made to resolve to loopback. */
export function refuseForeignHost(host: string | undefined): Answer | undefined {
  const name = host?.replace(/:\d+$/, "");
  return name === "127.0.0.1" || name === "localhost" || name === "[::1]"
    ? undefined
    : textAnswer(403, "This page is available on this machine only.");
}

/** Sends the whole state, then each change, until the page or the panel closes. */
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
    if (response.writableLength > MAX_PENDING_BYTES) response.destroy();
  };
  send(wholeState(state));
  state.subscribe((update) => {
    const change = changeOf(update, state);
    if (change !== undefined) send({ ...change, counts: state.counts });
  }, { signal: AbortSignal.any([gone.signal, options.signal]) });
}

function wholeState(state: PanelState): unknown {
  const latest = state.reports.at(-1);
  return {
    nowMs: Date.now(),
    presenceMs: state.presenceMs,
    log: state.logLines,
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
    faults: faultNames().map((name) => [name, faults[name].en, faults[name].zh]),
    violations: state.violations.slice(-VIOLATIONS_SHOWN),
    counts: state.counts,
    // A command may have ended before the page was connected.
    commandResult: commandResultOf(state.commandResults.at(-1)),
  };
}

function commandResultOf(message: ReceivedMessage<StoredTaskResult> | undefined): unknown {
  if (message === undefined) return undefined;
  const { taskId, result, exitCode } = message.value;
  return { taskId, exitCode, result: result.slice(0, MAX_RESULT_CHARACTERS) };
}

function changeOf(update: StateChange, state: PanelState): Record<string, unknown> | undefined {
  if ("report" in update) {
    return { report: reportOf(update.report), history: [point(update.report)] };
  }
  if ("pingResult" in update) {
    const { atMs, value } = update.pingResult;
    return { pingHistory: [[atMs, value.taskId, value.valueMs]] };
  }
  if ("basicInfo" in update) return { basicInfo: state.columns };
  if ("commandResult" in update) {
    return { commandResult: commandResultOf(update.commandResult) };
  }
  if ("logLine" in update) return { log: [update.logLine] };
  if ("violation" in update) return { violations: [update.violation] };
  if ("tasks" in update) return { tasks: update.tasks };
  if ("fault" in update) return { fault: update.fault?.name ?? "" };
  return undefined;
}

function reportOf(arrival: ReceivedMessage<StoredReport>): unknown {
  return { ...arrival.value, atMs: arrival.atMs, by: arrival.by };
}

/** The values of a report that the charts show: time, CPU, memory used and total, up, down. */
function point({ atMs, value }: ReceivedMessage<StoredReport>): number[] {
  return [
    atMs,
    value.cpu.usage,
    value.ram.used,
    value.ram.total,
    value.network.up,
    value.network.down,
  ];
}

/** The hash that permits the page's own script or style, and no other. */
async function hashOf(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return `'sha256-${new Uint8Array(digest).toBase64()}'`;
}

/**
 * The script or style sheet of the terminal emulator.
 *
 * Loaded when a page asks for it and named in no import, since the bundle would grow by half a MB.
 *
 * @throws {Error} When the package is neither installed nor downloadable (`Cannot load …`).
 */
export async function emulatorAnswer(file: "xterm.js" | "xterm.css"): Promise<Answer> {
  const name: string = manifest.imports["@xterm/xterm"];
  const isScript = file === "xterm.js";
  try {
    // The runtime finds a text only in a package that it has loaded as a module before.
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
