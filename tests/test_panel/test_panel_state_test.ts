import { assertEquals, assertRejects } from "@std/assert";
import { REPORT } from "./fake_reporter.ts";
import { TestPanelState } from "./test_panel_state.ts";

const arrival = (atMs: number) => ({ atMs, by: "v1 post" as const, value: REPORT });

Deno.test("TestPanelState.until() waits until the condition holds", async () => {
  const state = new TestPanelState();
  const two = state.until((state) => state.counts.reports === 2);
  state.addReport(arrival(1));
  state.addReport(arrival(2));
  await two;
  await state.until((state) => state.counts.reports === 2);
});

Deno.test("TestPanelState.until() rejects when the signal aborts or the condition throws", async () => {
  const state = new TestPanelState();
  const stop = new AbortController();
  const never = state.until(() => false, { signal: stop.signal });
  stop.abort(new Error("enough"));
  await assertRejects(() => never, Error, "enough");
  const bad = state.until((state) => {
    if (state.counts.reports > 0) throw new Error("no such thing");
    return false;
  });
  state.addReport(arrival(1));
  await assertRejects(() => bad, Error, "no such thing");
});

Deno.test("TestPanelState.counts has the counts of the demo's panel and its own", () => {
  const state = new TestPanelState();
  state.addReport(arrival(1));
  state.addViolation({ atMs: 1, text: "x" });
  state.count("pulls");
  state.countRefused();
  const { reports, violations, pulls, refused, calls } = state.counts;
  assertEquals([reports, violations, pulls, refused, calls], [1, 1, 1, 1, 0]);
});
