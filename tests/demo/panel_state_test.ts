import { assertEquals, assertLess } from "@std/assert";
import { PanelState, type StateChange } from "../../lib/demo/panel_state.ts";
import { REPORT } from "../test_panel/fake_reporter.ts";

const arrival = (atMs: number) => ({ atMs, by: "v1 post" as const, value: REPORT });

Deno.test("PanelState keeps the newest messages and counts all", () => {
  const state = new PanelState();
  for (let atMs = 1; atMs <= 5000; atMs++) state.addReport(arrival(atMs));
  assertLess(state.reports.length, 1000);
  assertEquals(state.reports.at(-1)?.atMs, 5000);
  assertEquals(state.counts.reports, 5000);
});

Deno.test("PanelState merges each basic info into the ones before", () => {
  const state = new PanelState();
  state.addBasicInfo({ atMs: 1, by: "v1 post", value: { os: "A", arch: "amd64" } });
  state.addBasicInfo({ atMs: 2, by: "v1 post", value: { os: "B" } });
  assertEquals(state.columns, { os: "B", arch: "amd64" });
  assertEquals(state.basicInfos.length, 2);
});

Deno.test("PanelState.subscribe() calls the listener until the signal aborts", () => {
  const state = new PanelState();
  const changes: StateChange[] = [];
  const stop = new AbortController();
  state.subscribe((change) => changes.push(change), { signal: stop.signal });
  state.fault = { name: "hang" };
  stop.abort();
  state.fault = undefined;
  state.subscribe((change) => changes.push(change), { signal: stop.signal });
  state.tasks = [];
  assertEquals(changes, [{ fault: { name: "hang" } }]);
});
