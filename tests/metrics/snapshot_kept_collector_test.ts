import { assertEquals, assertThrows } from "@std/assert";
import { KeptCollector } from "../../lib/metrics/snapshot.ts";
import { FakeTime, timed } from "../fake_time.ts";
import { fakeRow } from "./fake_collectors.ts";

/** A collector that gives how often it was asked. */
function paced(time: FakeTime) {
  const state = { asked: 0, fails: false, isKnown: true };
  const collector = new KeptCollector(fakeRow("uptime", {}, {
    maxAgeMs: 1_000,
    collect() {
      state.asked++;
      if (state.fails) throw new Error("no");
      return { uptimeSeconds: state.isKnown ? state.asked : undefined };
    },
    missingPart: () => state.asked === 2 ? new Error("part") : undefined,
  }));
  const at = (nowMs: number) => {
    time.tick(nowMs - performance.now());
    return collector.collect(performance.now()).uptimeSeconds;
  };
  return { state, collector, at };
}

timed.test("KeptCollector.collect() gives the last values until they are too old", (time) => {
  const { at, collector } = paced(time);
  assertEquals([0, 500, 999, 1_000, 1_999, 2_000].map(at), [1, 1, 1, 2, 2, 3]);
  assertEquals(at(2_999), 3);
  assertEquals(collector.missingPart(), undefined);
});

timed.test("KeptCollector.missingPart() is that of the last values", (time) => {
  const { at, collector } = paced(time);
  at(0);
  at(1_000);
  at(1_500);
  assertEquals(collector.missingPart()?.message, "part");
});

timed.test("KeptCollector.collect() asks each time for what failed or is not known", (time) => {
  const { at, state } = paced(time);
  at(0);
  state.fails = true;
  assertThrows(() => at(1_000), Error, "no");
  assertThrows(() => at(1_100), Error, "no");
  state.fails = false;
  state.isKnown = false;
  assertEquals([1_200, 1_300].map(at), [undefined, undefined]);
  state.isKnown = true;
  assertEquals([1_400, 1_500].map(at), [6, 6]);
});

timed.test("KeptCollector.collect() keeps values of which one is known", () => {
  const usage = { totalBytes: 10, usedBytes: 4 };
  let asked = 0;
  const collector = new KeptCollector(fakeRow("memory", {}, {
    maxAgeMs: 1_000,
    collect: () => (asked++, { memory: usage, swap: undefined }),
  }));
  for (let look = 0; look < 2; look++) collector.collect(performance.now());
  assertEquals(asked, 1);
});

/** A collector of which each call gives what `next` holds at that time. */
function lastKnownOf() {
  const state: { next: number | undefined | Error } = { next: 1 };
  const collector = new KeptCollector(fakeRow("uptime", {}, {
    collect() {
      if (state.next instanceof Error) throw state.next;
      return { uptimeSeconds: state.next };
    },
  }));
  return { state, collector, lastKnown: () => collector.lastKnown()?.uptimeSeconds };
}

timed.test("KeptCollector.lastKnown() returns the last values for a minute", (time) => {
  const { state, collector, lastKnown } = lastKnownOf();
  collector.collect(performance.now());
  time.tick(5_000);
  state.next = 2;
  assertEquals(collector.collect(performance.now()), { uptimeSeconds: 2 });
  state.next = new Error("malformed");
  assertThrows(() => collector.collect(performance.now()), Error, "malformed");
  const recalled = [5000, 65_000, 65_001].map((ms) => {
    time.tick(ms - performance.now());
    return lastKnown();
  });
  assertEquals(recalled, [2, 2, undefined]);
});

Deno.test("KeptCollector.lastKnown() does not go back beyond a measurement without data", () => {
  const { state, collector, lastKnown } = lastKnownOf();
  collector.collect(performance.now());
  state.next = undefined;
  collector.collect(performance.now());
  assertEquals(lastKnown(), undefined);
});
