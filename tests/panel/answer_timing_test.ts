import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { AnswerRequests, AnswerTimeout } from "../../lib/panel/answer_timing.ts";

/** Times at which a report asks, of one every `intervalMs` for 20 s, each late by up to `lateMs`. */
function askedAtMs({ intervalMs, lateMs = 0 }: { intervalMs: number; lateMs?: number }): number[] {
  const requests = new AnswerRequests();
  const times: number[] = [];
  for (let n = 0; n * intervalMs < 20_000; n++) {
    const nowMs = n * intervalMs + (n % 3) * lateMs / 2;
    if (requests.isDue(nowMs, { intervalMs })) times.push(n * intervalMs);
  }
  return times;
}

Deno.test("AnswerRequests.isDue() lets no more than 5 s pass, if the interval allows it", () => {
  for (const lateMs of [0, 5, 20]) {
    assertEquals(askedAtMs({ intervalMs: 1_000, lateMs }), [0, 5_000, 10_000, 15_000]);
    assertEquals(askedAtMs({ intervalMs: 2_000, lateMs }), [0, 4_000, 8_000, 12_000, 16_000]);
    assertEquals(askedAtMs({ intervalMs: 2_500, lateMs }), [0, 5_000, 10_000, 15_000]);
    assertEquals(askedAtMs({ intervalMs: 4_000, lateMs }), [0, 4_000, 8_000, 12_000, 16_000]);
    assertEquals(askedAtMs({ intervalMs: 7_000, lateMs }), [0, 7_000, 14_000]);
  }
});

Deno.test("AnswerRequests.isDue() allows the next report to be a tenth of the interval late", () => {
  const dueAt = (nowMs: number) => {
    const requests = new AnswerRequests();
    requests.isDue(0, { intervalMs: 2_000 });
    return requests.isDue(nowMs, { intervalMs: 2_000 });
  };
  assertEquals([3_199, 3_200].map(dueAt), [false, true]);
});

Deno.test("AnswerRequests.reset() makes the next report ask, and counts from there", () => {
  const requests = new AnswerRequests();
  const isDue = (seconds: number) => requests.isDue(seconds * 1000, { intervalMs: 1_000 });
  assertEquals([isDue(0), isDue(1)], [true, false]);
  requests.reset();
  assertEquals([isDue(2), isDue(3), isDue(6), isDue(7)], [true, false, false, true]);
});

function after(roundTripsMs: readonly number[], intervalMs = 3000): number {
  const timeout = new AnswerTimeout();
  for (const roundTripMs of roundTripsMs) timeout.record(roundTripMs);
  return timeout.get(intervalMs);
}

Deno.test("AnswerTimeout.get() gives 10 s before the first answer, then 5 s on a fast link", () => {
  assertEquals(after([]), 10_000);
  assertEquals(after([1]), 5000);
  assertEquals(after([1200, 3]), 5000);
});

Deno.test("AnswerTimeout.get() follows the interval and the slowest of the last eight round trips", () => {
  assertEquals(after([1], 8000), 8000);
  assertEquals(after([2000, 5]), 8000);
  assertEquals(after([5, 2000]), 8000);
  assertEquals(after([2000, 1, 1, 1, 1, 1, 1, 1]), 8000);
  assertEquals(after([2000, 1, 1, 1, 1, 1, 1, 1, 1]), 5000);
  assertEquals(after([9000]), 20_000);
});

Deno.test("AnswerTimeout.get() doubles after timeouts in a row, so that it finds slow panels", () => {
  const timeout = new AnswerTimeout();
  timeout.record(10);
  const after = Array.from({ length: 5 }, () => {
    timeout.recordTimeout();
    return timeout.get(3000);
  });
  assertEquals(after, [5000, 10_000, 20_000, 20_000, 20_000]);
  timeout.record(10);
  assertEquals(timeout.get(3000), 5000);
});

Deno.test("AnswerTimeout.get() never leaves its bounds", () => {
  fc.assert(fc.property(
    fc.array(fc.double({ min: 0, max: 1e6, noNaN: true })),
    fc.nat(100_000),
    (roundTripsMs, intervalMs) => {
      const ms = after(roundTripsMs, intervalMs);
      return ms >= 5000 && ms <= 20_000;
    },
  ));
});
