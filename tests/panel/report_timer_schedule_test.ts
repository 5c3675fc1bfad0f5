import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import fc from "fast-check";
import { ReportSchedule } from "../../lib/panel/report_timer.ts";

const MINUTE = 60_000;

Deno.test("ReportSchedule keeps a fixed rate however long the answers take", () => {
  const pace = new ReportSchedule(0, { intervalMs: 5000, random: () => 0 });
  assertEquals(pace.next(120, true), 4880);
  assertEquals(pace.next(5300, true), 4700);
});

Deno.test("ReportSchedule drops due times that were missed", () => {
  const pace = new ReportSchedule(0, { intervalMs: 5000, random: () => 0 });
  assertEquals(pace.next(12_000, true), 3000);
  assertEquals(pace.next(15_100, true), 4900);
});

Deno.test("ReportSchedule keeps the interval for the first five minutes of failures", () => {
  const pace = new ReportSchedule(0, { intervalMs: 5000, random: () => 0.5 });
  let now = 0;
  while (now < 5 * MINUTE) {
    const delay = pace.next(now, false);
    assertEquals(delay, 5000);
    now += delay;
  }
  assert(pace.next(now, false) > 5000);
});

Deno.test("ReportSchedule slows down to at most 30 s, with jitter, and recovers at once", () => {
  for (const random of [0, 0.5, 0.999]) {
    const pace = new ReportSchedule(0, { intervalMs: 5000, random: () => random });
    pace.next(0, false);
    let now = 6 * MINUTE;
    let delay = 0;
    for (let tries = 0; tries < 10; tries++) {
      delay = pace.next(now, false);
      assert(delay >= 5000 && delay <= 30_000, `${delay}`);
      now += delay;
    }
    assertAlmostEquals(delay, 30_000 * (0.5 + random / 2), 1);
    assertEquals(pace.next(now, true) <= 5000, true);
  }
});

Deno.test("ReportSchedule never waits longer than an interval of its own that is above 30 s", () => {
  const pace = new ReportSchedule(0, { intervalMs: 60_000, random: () => 0 });
  pace.next(0, false);
  assertEquals(pace.next(10 * MINUTE, false), 60_000);
});

Deno.test("ReportSchedule always waits for some time and never longer than it may", () => {
  const steps = fc.array(fc.tuple(fc.boolean(), fc.nat(100_000)), { maxLength: 100 });
  fc.assert(fc.property(fc.integer({ min: 100, max: 40_000 }), steps, (intervalMs, outcomes) => {
    const pace = new ReportSchedule(0, { intervalMs, random: () => 0.7 });
    let now = 0;
    for (const [succeeded, tookMs] of outcomes) {
      now += tookMs;
      const delay = pace.next(now, succeeded);
      assert(delay > 0 && delay <= Math.max(intervalMs, 30_000), `${delay}`);
      now += delay;
    }
  }));
});

Deno.test("ReportSchedule keeps the phase of another panel, whatever the time of its start", () => {
  for (const startMs of [5_000, 5_200, 5_499, 5_501, 5_900]) {
    const phaseMs = 1_100;
    const schedule = new ReportSchedule(startMs, {
      intervalMs: 1_000,
      random: () => 0,
      phaseMs,
    });
    const firstMs = startMs + schedule.next(startMs, true);
    assertEquals((firstMs - phaseMs) % 1_000, 0);
    assert(firstMs - startMs >= 500 && firstMs - startMs <= 1_500);
    assertEquals(firstMs + schedule.next(firstMs, true), firstMs + 1_000);
  }
});
