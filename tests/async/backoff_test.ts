import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { backoffMs } from "../../lib/async/backoff.ts";

const DELAYS = { baseMs: 1_000, maxMs: 30_000 };

Deno.test("backoffMs() doubles from the first delay up to the longest", () => {
  const delays = [0, 1, 2, 3, 4, 5, 6, 5_000].map((attempts) => backoffMs(attempts, DELAYS));
  assertEquals(delays, [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
});

Deno.test("backoffMs() is finite and never shorter than half the first delay", () => {
  const random = fc.double({ min: 0, max: 1, noNaN: true });
  fc.assert(fc.property(fc.nat(), random, (attempts, random) => {
    const ms = backoffMs(attempts, { ...DELAYS, random });
    assertEquals(ms >= DELAYS.baseMs / 2 && ms <= DELAYS.maxMs, true);
  }));
});
