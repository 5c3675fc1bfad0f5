import { assertEquals, assertNotEquals } from "@std/assert";
import { Sampler } from "../../lib/metrics/snapshot.ts";
import { FakeTime } from "../fake_time.ts";
import { fakeRow } from "./fake_collectors.ts";

/** Snapshots that tell which they are by their uptime; the first is taken at the start. */
function setUp(maxAgeMs: number) {
  let count = 0;
  const row = fakeRow("uptime", {}, { collect: () => ({ uptimeSeconds: count++ }) });
  const sampler = new Sampler([row], maxAgeMs);
  sampler.sample();
  return { sampler, take: () => sampler.take().uptimeSeconds };
}

Deno.test("Sampler.take() gives the first snapshot once if it is fresh", () => {
  using time = new FakeTime();
  const { take } = setUp(0);
  time.tick(999);
  assertEquals([take(), take(), take()], [0, 1, 2]);
});

Deno.test("Sampler.take() takes the first snapshot again when the panel was late", () => {
  using time = new FakeTime();
  const { take } = setUp(0);
  time.tick(1_000);
  assertEquals(take(), 1);
});

Deno.test("Sampler.take() gives the first snapshot for as long as any other, if that is longer", () => {
  using time = new FakeTime();
  const { take } = setUp(2_000);
  time.tick(1_999);
  assertEquals(take(), 0);
  time.tick(1);
  assertEquals(take(), 1);
});

Deno.test("Sampler.take() gives several panels one snapshot while it is young", () => {
  using time = new FakeTime();
  const { take } = setUp(500);
  assertEquals([take(), take(), take()], [0, 0, 0]);
  time.tick(499);
  assertEquals(take(), 0);
  time.tick(1);
  assertEquals([take(), take()], [1, 1]);
  time.tick(500);
  assertNotEquals(take(), 1);
});

Deno.test("Sampler.latest is the last snapshot and its time", () => {
  using time = new FakeTime();
  assertEquals(new Sampler([]).latest, undefined);
  const { sampler, take } = setUp(500);
  time.tick(400);
  take();
  const latest = () => [sampler.latest?.snapshot.uptimeSeconds, sampler.latest?.takenAtMs];
  assertEquals(latest(), [0, 0]);
  time.tick(100);
  take();
  assertEquals(latest(), [1, 500]);
});
