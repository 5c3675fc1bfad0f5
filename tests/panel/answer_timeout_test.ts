import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { AnswerTimeout } from "../../lib/panel/answer_timeout.ts";

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
