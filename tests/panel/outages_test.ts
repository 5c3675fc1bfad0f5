import { assertEquals } from "@std/assert";
import { diagnoseFailure, placesOf, shapeOf } from "../../lib/diagnosis/diagnose.ts";
import { OutageLog } from "../../lib/panel/outages.ts";
import { PanelError, type PanelFailure } from "../../lib/panel/panel_error.ts";
import { cases, same } from "../cases.ts";
import { panelLines } from "./panel_lines.ts";

const FAILURES: Readonly<Record<string, PanelFailure>> = {
  refused: "unreachable",
  silent: "timeout",
  "401": "unauthorized",
  "302": "redirected",
  "502": "unavailable",
  "403": "unavailable",
  "no v2": "unsupported protocol",
  closed: "disconnected",
  "no column": "rejected",
};

/** An error without a diagnosis, which is named by its word. */
function failureNamed(word: string, call: string): PanelError {
  const status = /^\d+$/.test(word) ? { status: Number(word) } : {};
  return new PanelError(`${call} ${word}`, { failure: FAILURES[word] ?? "rejected", ...status });
}

/** The lines of outcomes and pauses, such as `report: refused ×3, 12 s, report: ok`. */
function linesOf(script: string): string {
  const lines = panelLines((time) => {
    const log = new OutageLog();
    for (const step of script.split(", ")) {
      const [, seconds] = /^(\d+(?:\.\d)?) s$/.exec(step) ?? [];
      const [, call = "", word = "", times = 1] = /^(.+): (.+?)(?: ×(\d+))?$/.exec(step) ?? [];
      if (seconds !== undefined) time.tick(Number(seconds) * 1000);
      else {
        for (let n = 0; n < Number(times); n++) {
          log.onOutcome(word === "ok" ? undefined : failureNamed(word, call), call);
        }
      }
    }
  });
  return lines.join(" | ").replaceAll("; trying again", "").replaceAll("warning ", "");
}

/** Asserts the lines of each script in a text. */
function assertLines(text: string): void {
  same(linesOf, cases(text));
}

Deno.test("OutageLog logs the start, each new cause, reminders and the end of outages", () => {
  assertLines(`
report: ok, report: refused ×1000, 12 s, report: ok, report: ok
  → report refused | info The panel answers again after 12 s and 1000 failed calls
report: ok, 9.9 s, report: refused, report: ok
  → report refused | info The panel answers again after 9.9 s and 1 failed call
report: refused, task list: silent, 10 s, report: ok, task list: ok
  → report refused | info The panel answers again after 10 s and 2 failed calls
task list: refused, report: ok, task list: refused, task list: ok
  → task list refused | info The panel answers again after 0.1 s and 2 failed calls
report: 502 ×2, 10 s, report: 403 ×2
  → report 502 | report 403
report: refused, 60 s, report: 502 ×2
  → report refused | report 502 | Still failing for 1 min and 3 calls: report 502
pull: 502, 10 s, report: 502
  → pull 502 | report 502
basic info: no column, report: refused, report: ok, basic info: no column, basic info: ok
  → basic info no column | report refused | info The panel answers again after 0.1 s and 1 failed call | info The basic info works again after 0.1 s and 2 failed calls
`);
});

Deno.test("OutageLog takes each failure of the panel as one outage for all calls", () => {
  for (const word of Object.keys(FAILURES).filter((it) => it !== "closed" && it !== "no column")) {
    const lines = linesOf(
      ["report", "basic info", "task list"].map((it) => `${it}: ${word}`).join(", "),
    );
    assertEquals(lines, `report ${word}`);
  }
});

Deno.test("OutageLog logs starts and causes every 10 s at most, the last state always, and each end", () => {
  assertLines(`
report: refused, 9 s, report: ok, report: refused, 0.5 s, report: refused, 0.5 s, report: refused, 1 s, report: ok
  → report refused | info The panel answers again after 9 s and 1 failed call | report refused | info The panel answers again after 2 s and 3 failed calls
report: refused, 3 s, report: 502, 3 s, report: 403, 4 s, report: 403
  → report refused | report 403
report: refused, 3 s, report: 502, 3 s, report: refused, 4 s, report: refused
  → report refused
report: refused, 1 s, report: ok, report: refused, 1 s, report: ok
  → report refused | info The panel answers again after 1 s and 1 failed call
`);
});

Deno.test("OutageLog logs a WebSocket that is opened again at once in one line, with the time without reports", () => {
  assertLines(`
report: ok, 9.9 s, report: closed, report: ok
  → Reporting again after 9.9 s: report closed
report: ok, 5 s, report: closed, report: refused, 20 s, report: ok
  → report refused | info The panel answers again after 25 s and 2 failed calls
report: closed, report: ok, 1 s, report: closed, report: ok, 10 s, report: closed, report: ok
  → Reporting again after 0.1 s: report closed | Reporting again after 10 s: report closed
report: closed, basic info: closed, probe result: closed, report: ok
  → Reporting again after 0.1 s: report closed
basic info: closed, report: closed, report: ok
  → Reporting again after 0.1 s: report closed
report: closed, 1 s, report: closed, report: ok
  → report closed | info The panel answers again after 1 s and 2 failed calls
`);
});

Deno.test("OutageLog reminds after 1, 5 and 15 minutes, and then every hour, of all outages in one line", () => {
  const half = ["report: refused", "30 s"].join(", ");
  const lines = linesOf(Array(2 * 181 + 1).fill(half).join(", "));
  const still = ["1 min and 3", "5 min and 11", "15 min and 31", "60 min and 121", "2 h and 241"]
    .concat("3 h and 361").map((it) => `Still failing for ${it} calls: report refused`);
  assertEquals(lines, ["report refused", ...still].join(" | "));
  assertLines(`
basic info: no column, report: refused, 60 s, report: refused
  → basic info no column | report refused | Still failing for 1 min and 1 call: basic info no column; for 1 min and 2 calls: report refused
probe result: full, 60 s, probe result: full, probe result: ok
  → probe result full; it is not sent again | Still failing for 1 min and 2 calls: probe result full | info The probe result works again after 60 s and 2 failed calls
`);
});

Deno.test("OutageLog logs reason and action of a diagnosis, and no text of a panel as a template", () => {
  const seen = { stage: "connect", error: "Cannot connect to x.example: refused {call}" } as const;
  const error = new PanelError("Cannot send agent.report (POST …): {error}", {
    failure: "unreachable",
    seen,
  });
  const url = new URL("https://panel.example.com/");
  const diagnosis = diagnoseFailure(seen, {
    ...{ url, proxy: undefined, token: shapeOf("abcdefghijklmnopqrstuv"), sends: [] },
    places: placesOf(new Map(), url),
  });
  const lines = (["report", "WebSocket", "basic info", "file result"] as const).flatMap((call) =>
    panelLines(() => new OutageLog().onOutcome(error, call, diagnosis))
  );
  const isDetail = (line: string) => line.startsWith("debug ");
  assertEquals(lines.filter(isDetail), Array(4).fill(`debug ${error.message}`));
  const [first = "", ...others] = lines.filter((line) => !isDetail(line));
  assertEquals(
    first,
    `warning Cannot report: no connection to x.example: refused {call} → ${diagnosis.action}`,
  );
  assertEquals(others.map((line) => line.replace(/: no connection.*/, "")), [
    "warning Reports are sent by POST",
    "warning Cannot send basic info",
    "warning Cannot send the file result",
  ]);
  const log = new OutageLog();
  const [still = ""] = panelLines((time) => {
    for (const ms of [0, 60_000]) (time.tick(ms), log.onOutcome(error, "report", diagnosis));
  }).filter((line) => line.includes("Still failing"));
  assertEquals(still.endsWith(` \u2192 ${diagnosis.action}`), true, still);
});
