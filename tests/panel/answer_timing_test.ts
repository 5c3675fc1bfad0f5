import fc from "fast-check";
import { AnswerRequests, AnswerTimeout } from "../../lib/panel/answer_timing.ts";
import { cases, same } from "../cases.ts";

Deno.test("AnswerRequests.isDue() lets no more than 5 s pass, if the interval allows it", () => {
  for (const lateMs of [0, 5, 20]) {
    /** When a report asks, of one at each interval for 20 s, each late by up to `lateMs`. */
    const asked = (seconds: string) => {
      const requests = new AnswerRequests();
      const intervalMs = Number(seconds) * 1000;
      const times = Array.from({ length: 20_000 / intervalMs }, (_, n) => n * intervalMs);
      const isDue = (ms: number, n: number) =>
        requests.isDue(ms + (n % 3) * lateMs / 2, { intervalMs });
      return times.filter(isDue).map((ms) => ms / 1000).join(" ");
    };
    same(
      asked,
      cases(`
1 → 0 5 10 15
2 → 0 4 8 12 16
2.5 → 0 5 10 15
4 → 0 4 8 12 16
7 → 0 7
`),
    );
  }
});

Deno.test("AnswerRequests.isDue() allows the next report to be a tenth of the interval late", () => {
  same((nowMs) => {
    const requests = new AnswerRequests();
    requests.isDue(0, { intervalMs: 2_000 });
    return requests.isDue(nowMs, { intervalMs: 2_000 });
  }, [[3_199, false], [3_200, true]]);
});

/** The time-out behind round trips, each of which may be a time-out itself, at an interval. */
function timeoutAfter(roundTrips: readonly (number | "late")[], intervalMs = 3000): number {
  const timeout = new AnswerTimeout();
  for (const it of roundTrips) {
    if (it === "late") timeout.recordTimeout();
    else timeout.record(it);
  }
  return timeout.get(intervalMs);
}

Deno.test("AnswerTimeout.get() follows the interval, the slowest of the last eight round trips, and time-outs in a row", () => {
  const [seven, late] = [Array<number>(7).fill(1), "late" as const];
  same(([trips, intervalMs]) => timeoutAfter(trips, intervalMs), [
    [[[]], 10_000],
    [[[1]], 5000],
    [[[1200, 3]], 5000],
    [[[1], 8000], 8000],
    [[[2000, 5]], 8000],
    [[[5, 2000]], 8000],
    [[[2000, ...seven]], 8000],
    [[[2000, 1, ...seven]], 5000],
    [[[9000]], 20_000],
    [[[10, late]], 5000],
    [[[10, late, late]], 10_000],
    [[[10, late, late, late]], 20_000],
    [[[10, late, late, late, late]], 20_000],
    [[[10, late, late, late, 10]], 5000],
  ] as [[(number | "late")[], number?], number][]);
  fc.assert(fc.property(
    fc.array(fc.double({ min: 0, max: 1e6, noNaN: true })),
    fc.nat(100_000),
    (trips, intervalMs) => {
      const ms = timeoutAfter(trips, intervalMs);
      return ms >= 5000 && ms <= 20_000;
    },
  ));
});
