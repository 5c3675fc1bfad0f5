import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { registrationWaitMs } from "../../lib/panel/registration.ts";

const ALMOST_ONE = 0.999999999;

function longest(failed: number, doubtful: number): number {
  return Math.round(registrationWaitMs({ failed, doubtful, refused: 0 }, ALMOST_ONE) / 1000);
}

Deno.test("registrationWaitMs() grows to half a minute after clear failures", () => {
  assertEquals([1, 2, 3, 4, 5, 6, 7, 1000].map((failed) => longest(failed, 0)), [
    ...[1, 2, 4, 8, 16, 30, 30, 30],
  ]);
});

Deno.test("registrationWaitMs() grows to an hour when each attempt may have made a node", () => {
  assertEquals([1, 2, 3, 6, 7, 1000].map((doubtful) => longest(doubtful, doubtful)), [
    ...[60, 120, 240, 1920, 3600, 3600],
  ]);
});

Deno.test("registrationWaitMs() grows from a minute to an hour when the key is refused", () => {
  const waits = (random: number) =>
    [1, 2, 3, 4, 5, 6, 1000].map((refused) =>
      Math.round(registrationWaitMs({ failed: 0, doubtful: 0, refused }, random) / 60_000)
    );
  assertEquals(waits(0), [1, 2, 4, 8, 16, 30, 30]);
  assertEquals(waits(ALMOST_ONE), [2, 4, 8, 16, 32, 60, 60]);
});

Deno.test("registrationWaitMs() is random in the upper half, so that many agents don't return at once", () => {
  const many = fc.integer({ min: 1, max: 5000 });
  const tries = fc.oneof(
    fc.record({ failed: many, doubtful: fc.nat(5000), refused: fc.constant(0) }),
    fc.record({ failed: fc.constant(0), doubtful: fc.nat(5000), refused: many }),
  );
  fc.assert(
    fc.property(tries, fc.double({ min: 0, max: ALMOST_ONE, noNaN: true }), (tries, random) => {
      const waitMs = registrationWaitMs(tries, random);
      const longestMs = registrationWaitMs(tries, 1);
      assert(waitMs >= longestMs / 2 && waitMs <= longestMs && waitMs >= 500, `${waitMs}`);
    }),
  );
});
