import { assertEquals, assertStringIncludes } from "@std/assert";
import { createClock } from "@sinonjs/fake-timers";
import type { ProbeTarget } from "../../lib/parse/probe_target.ts";
import { OnDemandProbes, type ProbeOrder } from "../../lib/probe/on_demand.ts";
import type { ProbeResult } from "../../lib/types.ts";
import { collectedLog } from "./collected_log.ts";

/** Probes on a clock of their own; a run takes `tookMs` and finds 12 ms. */
function bench(tookMs: number) {
  const clock = createClock();
  const started: ProbeTarget[] = [];
  const results: ProbeResult[] = [];
  const probes = new OnDemandProbes({
    probe(target, { signal }) {
      started.push(target);
      const { promise, resolve, reject } = Promise.withResolvers<number>();
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      clock.setTimeout(() => resolve(12), tookMs);
      return promise;
    },
    onResult: (result) => results.push(result),
    timers: clock,
    monotonicMs: () => clock.now,
  });
  return { clock, started, results, probes };
}

function order(taskId: number): ProbeOrder {
  return { taskId, probe: "tcp", target: "192.0.2.1:443" };
}

Deno.test("OnDemandProbes.order() runs a probe at once and gives its result", async () => {
  const { clock, started, results, probes } = bench(50);
  probes.order(order(7));
  assertEquals(started, [{ kind: "tcp", host: "192.0.2.1", port: 443 }]);
  await clock.tickAsync(50);
  assertEquals(results.length, 1);
  const { finishedAt, ...result } = results[0] ?? {};
  assertEquals(result, { taskId: 7, kind: "tcp", valueMs: 12 });
  assertEquals(finishedAt instanceof Date, true);
});

Deno.test("OnDemandProbes.order() never runs the same task twice at once", async () => {
  const { clock, started, results, probes } = bench(50);
  for (let n = 0; n < 10_000; n++) probes.order(order(7));
  await clock.tickAsync(50);
  assertEquals([started.length, results.length], [1, 1]);
  probes.order(order(7));
  await clock.tickAsync(50);
  assertEquals([started.length, results.length], [2, 2]);
});

Deno.test("OnDemandProbes bears 10,000 orders: few at a time, no stale ones, one line", async () => {
  const { clock, started, results, probes } = bench(3_000);
  const lines = await collectedLog(async () => {
    for (let taskId = 1; taskId <= 10_000; taskId++) probes.order(order(taskId));
    assertEquals(started.length, 16);
    await clock.tickAsync(60_000);
    assertEquals(started.length, 4 * 16, "what has waited for 10 s is not run");
    assertEquals(results.length, 4 * 16);
  });
  assertEquals(lines.length, 1);
  assertStringIncludes(lines[0] ?? "", "more probes than can be run");
  // What was dropped can be ordered again.
  for (const taskId of [500, 5_000]) probes.order(order(taskId));
  await clock.tickAsync(3_000);
  assertEquals(results.slice(-2).map(({ taskId }) => taskId), [500, 5_000]);
  assertEquals(clock.countTimers(), 0);
});

Deno.test("OnDemandProbes gives -1 for a target that can't be probed, and says so once", async () => {
  const { clock, started, results, probes } = bench(50);
  const lines = await collectedLog(async () => {
    for (let taskId = 1; taskId <= 100; taskId++) {
      probes.order({ taskId, probe: "tcp", target: "host:99999" });
    }
    await clock.tickAsync(5_000);
  });
  assertEquals(started, []);
  assertEquals(results.length, 100);
  assertEquals(results.every(({ valueMs }) => valueMs === -1), true);
  assertEquals(lines.length, 1);
  assertStringIncludes(lines[0] ?? "", "its result is -1");
});

Deno.test("OnDemandProbes.stop() ends runs under way and gives no result after it", async () => {
  const { clock, started, results, probes } = bench(3_000);
  const lines = await collectedLog(async () => {
    for (let taskId = 1; taskId <= 40; taskId++) probes.order(order(taskId));
    await clock.tickAsync(150);
    probes.stop();
    probes.order(order(41));
    await clock.tickAsync(60_000);
  });
  assertEquals(started.length, 16);
  assertEquals(results, []);
  assertEquals(lines, []);
  assertEquals(clock.countTimers(), 0);
});
