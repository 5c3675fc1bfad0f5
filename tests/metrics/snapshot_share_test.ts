import { assertEquals, assertNotEquals } from "@std/assert";
import { shareSnapshots } from "../../lib/metrics/snapshot.ts";
import type { Snapshot } from "../../lib/types.ts";
import { FakeTime } from "../fake_time.ts";

/** Snapshots that tell which they are by their uptime. */
function setUp(maxAgeMs: number) {
  let count = 0;
  const sample = (): Snapshot => ({ uptimeSeconds: count++, failures: [] });
  const take = shareSnapshots(sample, maxAgeMs);
  return () => take().uptimeSeconds;
}

Deno.test("shareSnapshots() gives the first snapshot once if it is fresh", () => {
  using _time = new FakeTime();
  const take = setUp(0);
  assertEquals([take(), take(), take()], [0, 1, 2]);
});

Deno.test("shareSnapshots() takes the first snapshot again when the panel was late", () => {
  using time = new FakeTime();
  const take = setUp(0);
  time.tick(1_000 - performance.now());
  assertEquals(take(), 1);
});

Deno.test("shareSnapshots() gives several panels one snapshot while it is young", () => {
  using time = new FakeTime();
  const take = setUp(500);
  assertEquals([take(), take(), take()], [0, 0, 0]);
  time.tick(499 - performance.now());
  assertEquals(take(), 0);
  time.tick(500 - performance.now());
  assertEquals([take(), take()], [1, 1]);
  time.tick(1_000 - performance.now());
  assertNotEquals(take(), 1);
});
