import { assertEquals } from "@std/assert";
import { LinkLog } from "../../lib/panel/link_log.ts";
import { INITIAL_LINK, type LinkState } from "../../lib/panel/link_machine.ts";
import { OutageLog } from "../../lib/panel/outages.ts";
import { PanelError } from "../../lib/panel/panel_error.ts";
import type { PanelObserver } from "../../lib/panel/observer.ts";
import type { PanelConnection } from "../../lib/panel/panel_connection.ts";
import type { FakeTime } from "../fake_time.ts";
import { panelLines } from "./panel_lines.ts";
import { V1_POST, V2_POST, V2_WEBSOCKET } from "./transports.ts";

const DOWN = INITIAL_LINK;
const TRIES_POST: LinkState = { ...DOWN, trying: 2 };
const TRIES_V1_POST: LinkState = { ...DOWN, trying: 1 };
const BY_POST: LinkState = { ...DOWN, transport: V2_POST };
const OPEN: LinkState = { ...DOWN, socket: "open" };
const UP: LinkState = { ...OPEN, transport: V2_WEBSOCKET, proven: true };
const CLOSED = { end: "closed", durationMs: 60_000 } as const;

const BLOCKED = new PanelError("Cannot open a WebSocket: status 403", { failure: "unavailable" });
const REFUSED = new PanelError("Cannot open a WebSocket: refused", { failure: "unreachable" });

/** A connection without diagnoses. */
function heardBy(...observers: PanelObserver[]): Pick<PanelConnection, "observers" | "tell"> {
  const tell = (error: unknown, call: string) =>
    observers.forEach((observer) => observer.onOutcome?.(error, call));
  return { observers, tell };
}

function linesOf(use: (log: LinkLog, time: FakeTime) => void, version: 1 | 2 = 2): string[] {
  return panelLines((time) => use(new LinkLog(heardBy(new OutageLog()), { version }), time))
    .filter((line) => !line.startsWith("debug "));
}

Deno.test("LinkLog logs once that a panel supports another version only, also when its WebSocket was used", () => {
  const lines = linesOf((log) => {
    log.accepted(V2_POST, TRIES_POST);
    log.accepted(V2_WEBSOCKET, UP);
    log.accepted(V2_POST, TRIES_POST);
  }, 1);
  assertEquals(lines, [
    "info The panel supports only version 2 of the protocol; reports are sent by v2 POST",
    "info First report accepted, by v2 POST",
  ]);
  const socketFirst = linesOf((log) => {
    log.accepted(V2_WEBSOCKET, UP);
    log.accepted(V2_POST, TRIES_POST);
  }, 1);
  assertEquals(socketFirst, ["info First report accepted, by v2 WebSocket"]);
});

Deno.test("LinkLog logs a blocked WebSocket only when POST works", () => {
  const lines = linesOf((log) => {
    log.dialFailed(BLOCKED, { after: TRIES_POST });
    log.accepted(V2_POST, TRIES_POST);
    for (let n = 0; n < 100; n++) {
      log.dialFailed(BLOCKED, { after: BY_POST });
    }
    log.accepted(V2_POST, BY_POST);
    log.accepted(V2_WEBSOCKET, UP);
  });
  assertEquals(lines, [
    "warning Cannot open a WebSocket: status 403; reports are sent by POST; trying again",
    "info First report accepted, by v2 POST",
    "info The WebSocket works again after 0.1 s and 101 failed calls",
  ]);
});

Deno.test("LinkLog logs why a link was lost, and once why it does not come back", () => {
  const lines = linesOf((log) => {
    log.accepted(V2_WEBSOCKET, UP);
    log.socketClosed("the server closed the connection", { ...CLOSED, after: DOWN });
    const gone = new PanelError("Cannot send agent.report: gone", { failure: "unreachable" });
    log.reportFailed(gone, { isTrial: false, after: DOWN });
    for (let n = 0; n < 10; n++) {
      log.dialFailed(REFUSED, { after: DOWN });
    }
    log.accepted(V2_WEBSOCKET, UP);
  });
  assertEquals(lines, [
    "info First report accepted, by v2 WebSocket",
    "warning Cannot send agent.report: gone; trying again",
    "info The panel answers again after 0.1 s and 12 failed calls",
  ]);
});

Deno.test("LinkLog logs no failure that a WebSocket has ended since", () => {
  const lines = linesOf((log) => {
    log.dialFailed(BLOCKED, { after: TRIES_POST });
    log.accepted(V2_WEBSOCKET, UP);
    log.accepted(V2_POST, TRIES_POST);
  });
  assertEquals(lines, ["info First report accepted, by v2 WebSocket"]);
});

Deno.test("LinkLog logs the version of a panel once, and again when it has changed", () => {
  const line =
    "info The panel supports only version 1 of the protocol; reports are sent by v1 POST";
  const lines = linesOf((log) => {
    log.accepted(V1_POST, TRIES_V1_POST);
    log.accepted(V1_POST, TRIES_V1_POST);
    log.accepted(V2_POST, TRIES_POST);
    log.accepted(V1_POST, TRIES_V1_POST);
    log.accepted(V2_WEBSOCKET, UP);
  });
  assertEquals(lines.filter((it) => it === line).length, 2);
});

Deno.test("LinkLog logs few lines about WebSockets that do not last, until one does, whatever else works", () => {
  for (const hasPost of [true, false]) {
    const unreadable = new PanelError("Cannot send agent.report", { failure: "unreadable" });
    const lines = linesOf((log, time) => {
      log.accepted(V2_WEBSOCKET, UP);
      for (let n = 0; n < 50; n++) {
        time.tick(100);
        const flapping: LinkState = { ...DOWN, shortConnections: n + 1 };
        log.socketClosed("nonsense", { end: "closed", durationMs: 100, after: flapping });
        if (n > 1 && hasPost) log.accepted(V2_POST, { ...flapping, trying: 2 });
        if (n > 1 && !hasPost) log.reportFailed(unreadable, { isTrial: true, after: flapping });
        log.accepted(V2_WEBSOCKET, { ...flapping, socket: "open" });
      }
      time.tick(60_000);
      log.accepted(V2_WEBSOCKET, UP);
    });
    assertEquals(lines.slice(1).filter((line) => !line.includes("agent.report")), [
      "warning Reporting again after 0.1 s: Cannot keep the WebSocket: nonsense",
      "warning Cannot keep the WebSocket: nonsense; trying again",
      "info A connection lasts again after 65 s and 48 failed calls",
    ]);
  }
});

Deno.test("LinkLog logs a version only when it is not the preferred one", () => {
  const lines = linesOf((log) => {
    log.accepted(V1_POST, TRIES_V1_POST);
    log.dialFailed(BLOCKED, { after: TRIES_POST });
    log.accepted(V2_POST, TRIES_POST);
    log.accepted(V2_POST, TRIES_POST);
  }, 1);
  assertEquals(lines, [
    "info First report accepted, by v1 POST",
    "info The panel supports only version 2 of the protocol; reports are sent by v2 POST",
  ]);
});

Deno.test("LinkLog names the failure of POST when the last resort fails too", () => {
  const wrongPath = new PanelError("Cannot send report: is the address right?", {
    failure: "unsupported protocol",
  });
  const lines = linesOf((log, time) => {
    log.dialFailed(BLOCKED, { after: TRIES_POST });
    log.reportFailed(wrongPath, { isTrial: true, after: { ...DOWN, lastResort: true } });
    log.dialFailed(BLOCKED, { after: DOWN });
    log.accepted(V2_WEBSOCKET, UP);
    time.tick(10_000);
    log.dialFailed(REFUSED, { after: DOWN });
  });
  assertEquals(lines.filter((line) => line.startsWith("warning")), [
    "warning Cannot send report: is the address right?; trying again",
    "warning Cannot open a WebSocket: refused; trying again",
  ]);
});

Deno.test("LinkLog tells each observer every outcome, also those that are not logged", () => {
  const outcomes: unknown[] = [];
  const observer = { onOutcome: (error: unknown, call: string) => outcomes.push([call, error]) };
  const log = new LinkLog(heardBy({}, observer, observer), { version: 2 });
  log.reportFailed(REFUSED, { isTrial: false, after: DOWN });
  log.reportFailed(REFUSED, { isTrial: false, after: DOWN });
  log.accepted(V2_POST, BY_POST);
  const twice = [["report", REFUSED], ["report", REFUSED], ["report", undefined]];
  assertEquals(outcomes, twice.flatMap((outcome) => [outcome, outcome]));
});

Deno.test("LinkLog tells how many WebSockets in a row were closed soon, until one lasted", () => {
  const counts: unknown[] = [];
  const onShortConnections = (...told: unknown[]) => counts.push(told);
  const log = new LinkLog(heardBy({ onShortConnections }, {}), { version: 2 });
  for (const durationMs of [10.4, 59_999, 60_000, 1, 2, 3, 4]) {
    log.socketClosed("closed", { end: "closed", durationMs, after: BY_POST });
  }
  log.socketClosed("1012 restart", { end: "close frame", durationMs: 1, after: BY_POST });
  const since = [[1, [1]], [2, [1, 2]], [3, [1, 2, 3]], [4, [2, 3, 4]]];
  const expected = [[1, [10]], [2, [10, 59_999]], [0, []], ...since, [0, []]];
  assertEquals(counts, expected, "a panel that says why has no second agent");
});
