import { assertEquals, assertThrows } from "@std/assert";
import { LastKnown } from "../../lib/metrics/monitored_snapshot.ts";

/** A collector of which each call gives what `next` holds at that time. */
function lasting() {
  const state: { ms: number; next: number | undefined | Error } = { ms: 0, next: 1 };
  const inner = {
    collect(): number | undefined {
      if (state.next instanceof Error) throw state.next;
      return state.next;
    },
  };
  return { state, collector: new LastKnown(inner, { monotonicMs: () => state.ms }) };
}

Deno.test("LastKnown.recall() gives the last value for a minute after it was measured", () => {
  const { state, collector } = lasting();
  collector.collect();
  Object.assign(state, { ms: 5000, next: 2 });
  assertEquals(collector.collect(), 2);
  state.next = new Error("bent");
  assertThrows(() => collector.collect(), Error, "bent");
  const recalled = [5000, 65_000, 65_001].map((ms) => {
    state.ms = ms;
    return collector.lastKnown();
  });
  assertEquals(recalled, [2, 2, undefined]);
});

Deno.test("LastKnown.recall() gives nothing before anything was measured", () => {
  assertEquals(lasting().collector.lastKnown(), undefined);
});

Deno.test("LastKnown.recall() does not go back beyond a measurement without data", () => {
  const { state, collector } = lasting();
  collector.collect();
  state.next = undefined;
  collector.collect();
  assertEquals(collector.lastKnown(), undefined);
});
