import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import fc from "fast-check";
import { ReportSchedule } from "../../lib/agent/report_timer.ts";

const MINUTE = 60_000;
const SUCCEEDED = { succeeded: true, random: 0 };
const FAILED = { succeeded: false, random: 0 };

Deno.test("ReportSchedule keeps a fixed rate however long the answers take", () => {
  const pace = new ReportSchedule(0, { intervalMs: 5000 });
  assertEquals(pace.next(120, SUCCEEDED), 4880);
  assertEquals(pace.next(5300, SUCCEEDED), 4700);
});

Deno.test("ReportSchedule drops due times that were missed", () => {
  const pace = new ReportSchedule(0, { intervalMs: 5000 });
  assertEquals(pace.next(12_000, SUCCEEDED), 3000);
  assertEquals(pace.next(15_100, SUCCEEDED), 4900);
});

Deno.test("ReportSchedule keeps the interval for the first five minutes of failures", () => {
  const pace = new ReportSchedule(0, { intervalMs: 5000 });
  let now = 0;
  while (now < 5 * MINUTE) {
    const delay = pace.next(now, { succeeded: false, random: 0.5 });
    assertEquals(delay, 5000);
    now += delay;
  }
  assert(pace.next(now, { succeeded: false, random: 0.5 }) > 5000);
});

Deno.test("ReportSchedule slows down to at most 30 s, with jitter, and recovers at once", () => {
  for (const random of [0, 0.5, 0.999]) {
    const pace = new ReportSchedule(0, { intervalMs: 5000 });
    pace.next(0, { succeeded: false, random });
    let now = 6 * MINUTE;
    let delay = 0;
    for (let tries = 0; tries < 10; tries++) {
      delay = pace.next(now, { succeeded: false, random });
      assert(delay >= 5000 && delay <= 30_000, `${delay}`);
      now += delay;
    }
    assertAlmostEquals(delay, 30_000 * (0.5 + random / 2), 1);
    assertEquals(pace.next(now, { succeeded: true, random }) <= 5000, true);
  }
});

Deno.test("ReportSchedule slows down as much in a second outage as in the first", () => {
  const pace = new ReportSchedule(0, { intervalMs: 1_000 });
  const delaysFrom = (startMs: number) => {
    pace.next(startMs, FAILED);
    return [0, 1, 2].map((n) => pace.next(startMs + 5 * MINUTE + n, FAILED));
  };
  const delays = delaysFrom(0);
  assertEquals(delays, [1_000, 2_000, 4_000]);
  pace.next(60 * MINUTE, SUCCEEDED);
  assertEquals(delaysFrom(61 * MINUTE), delays);
});

Deno.test("ReportSchedule never waits longer than an interval of its own that is above 30 s", () => {
  const pace = new ReportSchedule(0, { intervalMs: 60_000 });
  pace.next(0, FAILED);
  assertEquals(pace.next(10 * MINUTE, FAILED), 60_000);
});

Deno.test("ReportSchedule always waits for some time and never longer than it may", () => {
  const steps = fc.array(fc.tuple(fc.boolean(), fc.nat(100_000)), { maxLength: 100 });
  fc.assert(fc.property(fc.integer({ min: 100, max: 40_000 }), steps, (intervalMs, outcomes) => {
    const pace = new ReportSchedule(0, { intervalMs });
    let now = 0;
    for (const [succeeded, tookMs] of outcomes) {
      now += tookMs;
      const delay = pace.next(now, { succeeded, random: 0.7 });
      assert(delay > 0 && delay <= Math.max(intervalMs, 30_000), `${delay}`);
      now += delay;
    }
  }));
});

Deno.test("ReportSchedule keeps the phase of another panel, whatever the time of its start", () => {
  for (const startMs of [5_000, 5_200, 5_499, 5_501, 5_900]) {
    const phaseMs = 1_100;
    const schedule = new ReportSchedule(startMs, { intervalMs: 1_000, phaseMs });
    const firstMs = startMs + schedule.next(startMs, SUCCEEDED);
    assertEquals((firstMs - phaseMs) % 1_000, 0);
    assert(firstMs - startMs >= 500 && firstMs - startMs <= 1_500);
    assertEquals(firstMs + schedule.next(firstMs, SUCCEEDED), firstMs + 1_000);
  }
});
