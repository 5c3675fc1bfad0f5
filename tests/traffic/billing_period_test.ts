import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  advancePeriods,
  billingPeriodAt,
  continueCount,
  formerName,
  type TrafficContext,
} from "../../lib/traffic/billing_period.ts";
import type { TrafficState } from "../../lib/traffic/traffic_state.ts";
import { cases } from "../cases.ts";
import { denoOutput } from "../deno_output.ts";

/** A moment in local time. */
function at(text: string): number {
  return new Date(text).getTime();
}

Deno.test("billingPeriodAt() starts on the day, or on the first of the next month without it", () => {
  const table = cases(`
    2026-11-24T12:00:00, day 1 → 2026-11-01 to 2026-12-01
    2026-11-24T12:00:00, day 24 → 2026-11-24 to 2026-12-24
    2026-11-23T23:59:59, day 24 → 2026-10-24 to 2026-11-24
    2026-01-10T00:00:00, day 15 → 2025-12-15 to 2026-01-15
    2026-11-24T12:00:00, day 31 → 2026-10-31 to 2026-12-01
    2026-12-01T00:00:00, day 31 → 2026-12-01 to 2026-12-31
    2026-02-28T23:00:00, day 29 → 2026-01-29 to 2026-03-01
    2026-03-01T00:00:00, day 29 → 2026-03-01 to 2026-03-29
    2026-03-05T00:00:00, day 31 → 2026-03-01 to 2026-03-31
    2028-02-29T00:00:00, day 29 → 2028-02-29 to 2028-03-29
    2028-02-28T00:00:00, day 30 → 2028-01-30 to 2028-03-01
    1970-01-01T00:00:10, day 2 → 1969-12-02 to 1970-01-02`);
  for (const [when, period] of table) {
    const [now = "", day] = when.split(", day ");
    const [start = "", end] = period.split(" to ");
    const [startMs, endMs] = [at(`${start}T00:00:00`), at(`${end}T00:00:00`)];
    assertEquals(billingPeriodAt(at(now), Number(day)), { start, startMs, endMs }, when);
  }
});

Deno.test("billingPeriodAt() covers every moment, without gaps", () => {
  const moment = fc.date({
    min: new Date("1901-01-01"),
    max: new Date("8990-01-01"),
    noInvalidDate: true,
  });
  fc.assert(fc.property(moment, fc.integer({ min: 1, max: 31 }), (now, day) => {
    const period = billingPeriodAt(now.getTime(), day);
    assert(period.startMs <= now.getTime() && now.getTime() < period.endMs);
    const next = billingPeriodAt(period.endMs, day);
    assertEquals(next.startMs, period.endMs);
    assert(next.start > period.start, "names are in the order of time");
    assertEquals(billingPeriodAt(period.endMs - 1, day), period);
  }));
});

Deno.test("billingPeriodAt() uses local time", async () => {
  const url = new URL("../../lib/traffic/billing_period.ts", import.meta.url).href;
  const code = `const { billingPeriodAt } = await import("${url}");
    console.log(JSON.stringify(billingPeriodAt(Date.UTC(2026, 10, 30, 20), 1)));`;
  const starts: string[] = [];
  for (const zone of ["Asia/Shanghai", "America/New_York"]) {
    const output = await denoOutput("eval", [code], { env: { TZ: zone } });
    starts.push(JSON.parse(output).start);
  }
  assertEquals(starts, ["2026-12-01", "2026-11-01"]);
});

Deno.test("advancePeriods() keeps the three latest other periods, each once", () => {
  const nothing = { sentBytes: 0, receivedBytes: 0 };
  const mark = (start: string) => ({ start, seenMs: 1_000, ...nothing });
  const [august, september, october] = ["2026-08-01", "2026-09-01", "2026-10-01"].map(mark);
  const [november, december] = [mark("2026-11-01"), mark("2026-12-01")];
  assert(august && september && october);
  const advance = (start: string, earlierForMs: number) =>
    advancePeriods(
      { current: november, others: [october, september, august] },
      { start, nowMs: 1_000, countedBytes: nothing, earlierForMs },
    );
  const [later, back] = [advance(december.start, 0), advance(september.start, 600_000)];
  assertEquals(later, { current: december, others: [november, october, september] });
  assertEquals(back, { current: september, others: [november, october, august] });
  // A clock that has shown it for less may be wrong.
  assertEquals(advance(september.start, 599_999).current, november);
});

const both = (sentBytes: number) => ({ sentBytes, receivedBytes: 2 * sentBytes });

/** A state of November: 1,000 bytes were counted, of which `eth0` had sent the last 100. */
function november(bootId: string): TrafficState {
  return {
    day: 1,
    bootId,
    countedBytes: both(1_000),
    current: { start: "2026-11-01", seenMs: at("2026-11-20T00:00:00"), ...both(400) },
    others: [],
    interfaces: new Map([["eth0", both(100)]]),
    indexes: new Map([["eth0", 2]]),
  };
}

/** The next start of the agent. */
function nextStart(
  now: string,
  { bootId, bootedAt, counters }: {
    bootId: string;
    bootedAt: string | undefined;
    counters: Record<string, number>;
  },
): TrafficContext {
  const nowMs = at(now);
  return {
    day: 1,
    nowMs,
    period: billingPeriodAt(nowMs, 1),
    bootId,
    bootedAtMs: bootedAt === undefined ? undefined : at(bootedAt),
    counters: new Map(Object.entries(counters).map(([name, sent]) => [name, both(sent)])),
    indexes: new Map(),
  };
}

Deno.test("continueCount() takes an unknown boot for the same one, and counts a new interface whole where that was in this month", () => {
  const counted = (before: string, now: string, bootedAt?: string) => {
    const context = { bootId: now, bootedAt, counters: { eth0: 130, wwan0: 7 } };
    const count = continueCount(november(before), nextStart("2026-11-22T00:00:00", context));
    assertEquals(count.periods.current.sentBytes, 400);
    return count.countedBytes.sentBytes;
  };
  const [first, before] = ["2026-11-01T00:00:00", "2026-10-31T23:59:59"];
  for (const [was, now] of [["b1", "b1"], ["", "b1"], ["b1", ""], ["", ""]] as const) {
    const found = [first, before, undefined].map((bootedAt) => counted(was, now, bootedAt));
    assertEquals(found, [1_037, 1_030, 1_030], `"${was}" and "${now}"`);
  }
  assertEquals(counted("b1", "b2", first), 1_137);
});

Deno.test("continueCount() gives a new month what passed since a boot in it, if that boot is surely new", () => {
  const baseline = (before: string, bootedAt: string | undefined) => {
    const context = { bootId: "b2", bootedAt, counters: { eth0: 130 } };
    const { periods } = continueCount(november(before), nextStart("2026-12-02T00:00:00", context));
    assertEquals(periods.current.start, "2026-12-01");
    return periods.current.sentBytes;
  };
  for (const bootedAt of ["2026-12-01T00:00:00", "2026-12-01T00:00:01"]) {
    assertEquals(baseline("b1", bootedAt), 1_000, bootedAt);
  }
  // Nobody knows how much of it is of which month: it counts in the earlier one.
  assertEquals(baseline("b1", "2026-11-30T23:59:59"), 1_130);
  assertEquals(baseline("b1", undefined), 1_130);
  assertEquals(baseline("", "2026-12-01T00:00:00"), 1_030);
});

Deno.test("continueCount() forgets the periods of another day of reset", () => {
  const nothing = { sentBytes: 0, receivedBytes: 0 };
  const other = { start: "2026-11-15", seenMs: at("2026-11-16T00:00:00"), ...nothing };
  const context = { bootId: "b1", bootedAt: undefined, counters: { eth0: 100 } };
  const next = nextStart("2026-11-22T00:00:00", context);
  const others = (day: number) => {
    const period = billingPeriodAt(next.nowMs, day);
    const state = { ...november("b1"), others: [other] };
    return continueCount(state, { ...next, day, period }).periods.others;
  };
  assertEquals([others(1), others(15)], [[other], []]);
});

Deno.test("formerName() goes by the index only on a boot that is surely the same", () => {
  const former = (before: string, now: string, index: number | undefined) =>
    formerName("lan0", {
      state: { bootId: before, indexes: new Map([["eth0", 2], ["lan0", 3]]) },
      context: { bootId: now, indexes: new Map(index === undefined ? [] : [["lan0", index]]) },
    });
  const known = [2, 3, 1, 4, undefined].map((it) => former("b1", "b1", it));
  assertEquals(known, ["eth0", "lan0", "lan0", undefined, "lan0"]);
  for (const [before, now] of [["", ""], ["b1", ""], ["", "b1"], ["b1", "b2"]] as const) {
    assertEquals([2, 4].map((it) => former(before, now, it)), ["lan0", "lan0"]);
  }
});
