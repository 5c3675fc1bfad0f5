import { assert, assertEquals } from "@std/assert";
import { LinkLog } from "../../lib/panel/link_log.ts";
import { INITIAL_LINK, type LinkState } from "../../lib/panel/link_machine.ts";
import type { PanelObserver } from "../../lib/panel/observer.ts";
import { OutageLog } from "../../lib/panel/outages.ts";
import type { PanelConnection } from "../../lib/panel/panel_connection.ts";
import { PanelError } from "../../lib/panel/panel_error.ts";
import { cases, same } from "../cases.ts";
import { panelLines } from "./panel_lines.ts";
import { V1_POST, V2_POST, V2_WEBSOCKET } from "./transports.ts";

const DOWN = INITIAL_LINK;
/** States of the link, by their words. */
const STATES: Readonly<Record<string, LinkState>> = {
  down: DOWN,
  "trying v2": { ...DOWN, trying: 2 },
  "trying v1": { ...DOWN, trying: 1 },
  "by POST": { ...DOWN, transport: V2_POST },
  up: { ...DOWN, socket: "open", transport: V2_WEBSOCKET, proven: true },
  "last resort": { ...DOWN, lastResort: true },
};
const TRANSPORTS = { "v1 POST": V1_POST, "v2 POST": V2_POST, "v2 WebSocket": V2_WEBSOCKET };
/** Failures of dials and reports, by their words. */
const FAILURES: Readonly<Record<string, PanelError>> = {
  blocked: new PanelError("Cannot open: 403", { failure: "unavailable" }),
  refused: new PanelError("Cannot open: refused", { failure: "unreachable" }),
  gone: new PanelError("Cannot report: gone", { failure: "unreachable" }),
  wrong: new PanelError("Cannot report: no panel", { failure: "unsupported protocol" }),
};

/** A connection without diagnoses. */
function heardBy(...observers: PanelObserver[]): Pick<PanelConnection, "observers" | "tell"> {
  const tell = (error: unknown, call: string) =>
    observers.forEach((observer) => observer.onOutcome?.(error, call));
  return { observers, tell };
}

/**
 * The lines of steps such as `v2 POST accepted, trying v2`, `dial blocked, by POST`, `trial wrong, down`,
 * `report gone, down` and `10 s`, with the state of the link; `v1:` before all prefers version 1.
 */
function linesOf(script: string): string {
  const version = script.startsWith("v1: ") ? 1 : 2;
  const lines = panelLines((time) => {
    const log = new LinkLog(heardBy(new OutageLog()), { version });
    for (const step of script.replace(/^v1: /, "").split("; ")) {
      const [, action = "", word = "", state = "", times = 1] =
        /^(\S+) (.+?)(?:, (.+?))?(?: ×(\d+))?$/.exec(step) ?? [];
      const after = STATES[state] ?? DOWN;
      const error = FAILURES[word];
      for (let n = 0; n < Number(times); n++) {
        const by = `${action} ${word}`.replace(" accepted", "");
        if (word === "s") time.tick(Number(action) * 1000);
        else if (action === "dial" && error) log.dialFailed(error, { after });
        else if (action === "closed") {
          log.socketClosed(word, { end: "closed", durationMs: 60_000, after });
        } else if (error) log.reportFailed(error, { isTrial: action === "trial", after });
        else {
          const transport = Object.entries(TRANSPORTS).find(([name]) => name === by)?.[1];
          assert(transport !== undefined, step);
          log.accepted(transport, after);
        }
      }
    }
  });
  return lines.filter((line) => !line.startsWith("debug ")).join(" | ")
    .replaceAll(/(^|\| )info First report accepted, by v. \w+/g, "$1first");
}

Deno.test("LinkLog logs the first report, the version of a panel that is not the preferred one, and fallbacks", () => {
  const only = (version: number) =>
    `info The panel supports only version ${version} of the protocol; reports are sent by v${version} POST`;
  const rows = cases(`
v1: v2 POST accepted, trying v2; v2 WebSocket accepted, up; v2 POST accepted, trying v2 → ${
    only(2)
  } | first
v1: v2 WebSocket accepted, up; v2 POST accepted, trying v2 → first
v1: v1 POST accepted, trying v1; dial blocked, trying v2; v2 POST accepted, trying v2 ×2 → first | ${
    only(2)
  }
v1 POST accepted, trying v1 ×2; v2 POST accepted, trying v2; v1 POST accepted, trying v1; v2 WebSocket accepted, up
  → ${only(1)} | first | ${only(1)}
dial blocked, trying v2; v2 POST accepted, trying v2; dial blocked, by POST ×100; v2 POST accepted, by POST; v2 WebSocket accepted, up
  → warning Cannot open: 403; reports are sent by POST; trying again | first | info The WebSocket works again after 0.1 s and 101 failed calls
dial blocked, trying v2; v2 WebSocket accepted, up; v2 POST accepted, trying v2 → first
v2 WebSocket accepted, up; closed reset, down; report gone, down; dial refused, down ×10; v2 WebSocket accepted, up
  → first | warning Cannot report: gone; trying again | info The panel answers again after 0.1 s and 12 failed calls
dial blocked, trying v2; trial wrong, last resort; dial blocked, down; v2 WebSocket accepted, up; 10 s; dial refused, down
  → warning Cannot report: no panel; trying again | first | info The panel answers again after 0.1 s and 1 failed call | warning Cannot open: refused; trying again
`);
  same(linesOf, rows);
});

Deno.test("LinkLog logs few lines about WebSockets that do not last, until one does, whatever else works", () => {
  for (const hasPost of [true, false]) {
    const unreadable = new PanelError("Cannot send agent.report", { failure: "unreadable" });
    const lines = panelLines((time) => {
      const log = new LinkLog(heardBy(new OutageLog()), { version: 2 });
      const { up = DOWN } = STATES;
      log.accepted(V2_WEBSOCKET, up);
      for (let n = 0; n < 50; n++) {
        time.tick(100);
        const flapping: LinkState = { ...DOWN, shortConnections: n + 1 };
        log.socketClosed("nonsense", { end: "closed", durationMs: 100, after: flapping });
        if (n > 1 && hasPost) log.accepted(V2_POST, { ...flapping, trying: 2 });
        if (n > 1 && !hasPost) log.reportFailed(unreadable, { isTrial: true, after: flapping });
        log.accepted(V2_WEBSOCKET, { ...flapping, socket: "open" });
      }
      time.tick(60_000);
      log.accepted(V2_WEBSOCKET, up);
    });
    assertEquals(lines.slice(1).filter((line) => !/^debug|agent\.report/.test(line)), [
      "warning Reporting again after 0.1 s: Cannot keep the WebSocket: nonsense",
      "warning Cannot keep the WebSocket: nonsense; trying again",
      "info A connection lasts again after 65 s and 48 failed calls",
    ]);
  }
});

Deno.test("LinkLog tells each observer every outcome, also those that are not logged", () => {
  const outcomes: unknown[] = [];
  const observer = { onOutcome: (error: unknown, call: string) => outcomes.push([call, error]) };
  const log = new LinkLog(heardBy({}, observer, observer), { version: 2 });
  const { refused } = FAILURES;
  for (let n = 0; n < 2; n++) log.reportFailed(refused, { isTrial: false, after: DOWN });
  log.accepted(V2_POST, DOWN);
  const twice = [["report", refused], ["report", refused], ["report", undefined]];
  assertEquals(outcomes, twice.flatMap((outcome) => [outcome, outcome]));
});

Deno.test("LinkLog tells how many WebSockets in a row were closed soon, until one lasted", () => {
  const counts: unknown[] = [];
  const onShortConnections = (...told: unknown[]) => counts.push(told);
  const log = new LinkLog(heardBy({ onShortConnections }, {}), { version: 2 });
  for (const durationMs of [10.4, 59_999, 60_000, 1, 2, 3, 4]) {
    log.socketClosed("closed", { end: "closed", durationMs, after: DOWN });
  }
  log.socketClosed("1012 restart", { end: "close frame", durationMs: 1, after: DOWN });
  const since = [[1, [1]], [2, [1, 2]], [3, [1, 2, 3]], [4, [2, 3, 4]]];
  const expected = [[1, [10]], [2, [10, 59_999]], [0, []], ...since, [0, []]];
  assertEquals(counts, expected, "a panel that says why has no second agent");
});
