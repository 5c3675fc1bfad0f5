import { assertEquals } from "@std/assert";
import { OutageLog } from "../../lib/panel/outages.ts";
import { PanelError } from "../../lib/panel/panel_error.ts";
import type { FakeTime } from "../fake_time.ts";
import { panelLines } from "./panel_lines.ts";

const MINUTE_MS = 60_000;
const REFUSED = new PanelError("Cannot send report: refused", { failure: "unreachable" });
const BAD_INFO = new PanelError("Cannot send basic info: status 500", {
  failure: "rejected",
  status: 500,
});
/** What is logged of calls and their outcomes, as `panelLines()` has it. */
function outage(use: (log: OutageLog, time: FakeTime) => void): string[] {
  return panelLines((time) => use(new OutageLog(), time));
}

const STARTED = "warning Cannot send report: refused; trying again";

Deno.test("OutageLog logs the start and the end of an outage, with the number of failed calls", () => {
  const lines = outage((log, time) => {
    log.onOutcome(undefined, "report");
    for (let n = 0; n < 1_000; n++) log.onOutcome(REFUSED, "report");
    time.tick(12_000);
    log.onOutcome(undefined, "report");
    log.onOutcome(undefined, "report");
  });
  assertEquals(lines, [STARTED, "info The panel answers again after 12 s and 1000 failed calls"]);
});

Deno.test("OutageLog names reports in an outage that began with another call, if they are answered", () => {
  const refusal = (call: string) =>
    new PanelError(`Cannot send ${call}: status 451`, { failure: "unavailable", status: 451 });
  const lines = outage((log) => {
    for (let n = 0; n < 3; n++) {
      log.onOutcome(refusal("agent.pull"), "pull");
      log.onOutcome(refusal("agent.report"), "report");
    }
    const silent = new OutageLog();
    silent.onOutcome(REFUSED, "pull");
    silent.onOutcome(REFUSED, "report");
  });
  assertEquals(lines, [
    "warning Cannot send agent.pull: status 451; trying again",
    "warning Cannot send agent.report: status 451; trying again",
    STARTED,
  ]);
});

Deno.test("OutageLog does not interpret the panel's text as a template", () => {
  const lines = outage((log) => {
    log.onOutcome(new Error("the panel says {error} {call}"), "report");
  });
  assertEquals(lines, ["warning the panel says {error} {call}; trying again"]);
});

Deno.test("OutageLog logs one outage for the whole panel, whichever calls fail", () => {
  const lines = outage((log) => {
    log.onOutcome(REFUSED, "report");
    log.onOutcome(REFUSED, "task list");
    log.onOutcome(undefined, "report");
    log.onOutcome(undefined, "task list");
  });
  assertEquals(lines, [STARTED, "info The panel answers again after 0 s and 2 failed calls"]);
});

const failures = [
  ...["unreachable", "timeout", "unauthorized", "redirected", "unavailable", "disconnected"],
  "unsupported protocol",
] as const;
for (const failure of failures) {
  Deno.test(`OutageLog logs one outage when several calls end as ${failure}`, () => {
    const lines = outage((log) => {
      for (const call of ["report", "basic info", "task list"]) {
        log.onOutcome(new PanelError(`Cannot send ${call}`, { failure }), call);
      }
    });
    assertEquals(lines, ["warning Cannot send report; trying again"]);
  });
}

Deno.test("OutageLog does not end an outage by the success of a call that never failed", () => {
  const lines = outage((log) => {
    log.onOutcome(REFUSED, "task list");
    log.onOutcome(undefined, "report");
    log.onOutcome(REFUSED, "task list");
    log.onOutcome(undefined, "task list");
  });
  assertEquals(lines, [STARTED, "info The panel answers again after 0 s and 2 failed calls"]);
});

Deno.test("OutageLog logs a cause that has changed, in place of a reminder that comes next then", () => {
  const proxy = new PanelError("status 502", { failure: "unavailable", status: 502 });
  const lines = outage((log, time) => {
    log.onOutcome(REFUSED, "report");
    time.tick(MINUTE_MS);
    for (let n = 0; n < 3; n++) log.onOutcome(proxy, "report");
  });
  assertEquals(lines, [
    STARTED,
    "warning status 502; trying again",
    "warning Still failing for 1 min and 3 calls: status 502; trying again",
  ]);
});

Deno.test("OutageLog keeps a refused call apart from outages of the panel", () => {
  const lines = outage((log) => {
    log.onOutcome(BAD_INFO, "basic info");
    log.onOutcome(REFUSED, "report");
    log.onOutcome(undefined, "report");
    log.onOutcome(BAD_INFO, "basic info");
    log.onOutcome(undefined, "basic info");
  });
  assertEquals(lines, [
    "warning Cannot send basic info: status 500; trying again",
    STARTED,
    "info The panel answers again after 0 s and 1 failed call",
    "info The basic info works again after 0 s and 2 failed calls",
  ]);
});

Deno.test("OutageLog logs an outage again after 1, 5 and 15 minutes, and then every hour", () => {
  const lines = outage((log, time) => {
    for (let minute = 0; minute <= 181; minute += 0.5) {
      log.onOutcome(REFUSED, "report");
      time.tick(MINUTE_MS / 2);
    }
  });
  const still = (duration: string, calls: number) =>
    `warning Still failing for ${duration} and ${calls} calls: ${REFUSED.message}; trying again`;
  assertEquals(lines, [
    STARTED,
    still("1 min", 3),
    still("5 min", 11),
    still("15 min", 31),
    still("60 min", 121),
    still("2 h", 241),
    still("3 h", 361),
  ]);
});

Deno.test("OutageLog logs several outages in one line", () => {
  const refused = new PanelError("Cannot send basic info: no column", { failure: "rejected" });
  const lines = outage((log, time) => {
    log.onOutcome(refused, "basic info");
    log.onOutcome(REFUSED, "report");
    time.tick(MINUTE_MS);
    log.onOutcome(REFUSED, "report");
    log.onOutcome(refused, "basic info");
  });
  assertEquals(lines.slice(2), [
    "warning Still failing for 1 min and 1 call: Cannot send basic info: no column; " +
    "for 1 min and 2 calls: Cannot send report: refused; trying again",
  ]);
});

Deno.test('OutageLog says "trying again" of several outages when one of the calls is made again', () => {
  const full = new PanelError("Cannot send a result: full", { failure: "rejected", code: -32000 });
  const lines = outage((log, time) => {
    log.onOutcome(full, "probe result");
    log.onOutcome(BAD_INFO, "basic info");
    time.tick(MINUTE_MS);
    log.onOutcome(full, "probe result");
  });
  assertEquals(lines.slice(2), [
    "warning Still failing for 1 min and 2 calls: Cannot send a result: full; " +
    "for 1 min and 1 call: Cannot send basic info: status 500; trying again",
  ]);
});

Deno.test("OutageLog starts over when an outage has ended", () => {
  const lines = outage((log, time) => {
    log.onOutcome(REFUSED, "report");
    time.tick(30_000);
    log.onOutcome(undefined, "report");
    log.onOutcome(REFUSED, "report");
    time.tick(50_000);
    log.onOutcome(REFUSED, "report");
    time.tick(10_000);
    log.onOutcome(REFUSED, "report");
  });
  assertEquals(lines, [
    STARTED,
    "info The panel answers again after 30 s and 1 failed call",
    STARTED,
    "warning Still failing for 1 min and 3 calls: Cannot send report: refused; trying again",
  ]);
});

Deno.test('OutageLog does not say "trying again" of results of probes, which are lost', () => {
  const full = new PanelError("Cannot send agent.pingResult: full", {
    failure: "rejected",
    code: -32000,
  });
  const lines = outage((log, time) => {
    log.onOutcome(full, "probe result");
    time.tick(MINUTE_MS);
    log.onOutcome(full, "probe result");
    log.onOutcome(undefined, "probe result");
    log.onOutcome(REFUSED, "probe result");
  });
  assertEquals(lines, [
    "warning Cannot send agent.pingResult: full; it is not sent again",
    "warning Still failing for 1 min and 2 calls: Cannot send agent.pingResult: full; it is not sent again",
    "info The probe result works again after 60 s and 2 failed calls",
    STARTED,
  ]);
});

Deno.test("OutageLog logs a status that has changed, though the failure is of the same kind", () => {
  const failed = (status: number) =>
    new PanelError(`status ${status}`, { failure: "unavailable", status });
  const lines = outage((log) => {
    for (const status of [502, 502, 403, 403]) log.onOutcome(failed(status), "report");
  });
  assertEquals(lines, ["warning status 502; trying again", "warning status 403; trying again"]);
});
