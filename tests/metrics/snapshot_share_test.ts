import { assertEquals, assertNotEquals } from "@std/assert";
import { shareSnapshots } from "../../lib/metrics/snapshot.ts";
import type { Snapshot } from "../../lib/types.ts";

/** Snapshots that tell which they are by their uptime, and a clock that stands still. */
function setUp(maxAgeMs: number) {
  const clock = { nowMs: 0 };
  let count = 0;
  const sample = (): Snapshot => ({ uptimeSeconds: count++, failures: [] });
  const take = shareSnapshots(sample, { monotonicMs: () => clock.nowMs, maxAgeMs });
  return { clock, take: () => take().uptimeSeconds };
}

Deno.test("shareSnapshots() gives the first snapshot once if it is fresh", () => {
  const { take } = setUp(0);
  assertEquals([take(), take(), take()], [0, 1, 2]);
});

Deno.test("shareSnapshots() takes the first snapshot again when the panel was late", () => {
  const { clock, take } = setUp(0);
  clock.nowMs = 1_000;
  assertEquals(take(), 1);
});

Deno.test("shareSnapshots() gives several panels one snapshot while it is young", () => {
  const { clock, take } = setUp(500);
  assertEquals([take(), take(), take()], [0, 0, 0]);
  clock.nowMs = 499;
  assertEquals(take(), 0);
  clock.nowMs = 500;
  assertEquals([take(), take()], [1, 1]);
  clock.nowMs = 1_000;
  assertNotEquals(take(), 1);
});
