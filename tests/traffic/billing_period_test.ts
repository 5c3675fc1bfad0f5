import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { billingPeriodAt } from "../../lib/traffic/billing_period.ts";
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
