import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { UptimeCollector } from "../../lib/metrics/uptime.ts";
import { FakeTime } from "../fake_time.ts";

/** A machine, and what passes its time; the clock on the wall may pass another time. */
function machine(time: FakeTime) {
  const state = { text: "100.25 9.00\n", reads: 0 };
  const source = {
    read: () => (state.reads++, state.text),
    readFirstLine: () => state.text,
  };
  const collector = new UptimeCollector(source);
  const pass = (ms: number, wallMs = ms) => {
    const startMs = Date.now();
    time.tick(ms);
    time.setDate(startMs + wallMs);
  };
  return { state, collector, pass };
}

Deno.test("UptimeCollector.collect() reads once a minute, and counts in between", () => {
  using time = new FakeTime({ now: 1e12 });
  const { state, collector, pass } = machine(time);
  assertEquals(collector.collect(), 100.25);
  for (let second = 1; second < 60; second++) {
    pass(1_000, 1_003);
    assertAlmostEquals(collector.collect() ?? NaN, 100.25 + second, 1e-9);
  }
  assertEquals(state.reads, 1);
  pass(1_000);
  state.text = "160.31 9.00\n";
  assertEquals(collector.collect(), 160.31);
  assertEquals(state.reads, 2);
});

Deno.test("UptimeCollector.collect() reads at once after a sleep of the machine or a set clock", () => {
  for (const wallMs of [3_600_000, -3_600_000]) {
    using time = new FakeTime({ now: 1e12 });
    const { state, collector, pass } = machine(time);
    collector.collect();
    pass(1_000, wallMs);
    state.text = "3700.00 9.00\n";
    assertEquals(collector.collect(), 3_700);
    pass(1_000);
    assertEquals(collector.collect(), 3_701);
    assertEquals(state.reads, 2);
  }
});

Deno.test("UptimeCollector.collect() goes on after a text that it can't read", () => {
  using time = new FakeTime({ now: 1e12 });
  const { state, collector, pass } = machine(time);
  collector.collect();
  pass(61_000);
  state.text = "soon";
  assertThrows(() => collector.collect(), SyntaxError, "Cannot parse uptime");
  pass(1_000);
  state.text = "162.00 9.00\n";
  assertEquals(collector.collect(), 162);
});
