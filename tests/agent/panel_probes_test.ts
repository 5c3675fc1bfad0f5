import { assertEquals } from "@std/assert";
import { PanelProbes } from "../../lib/agent/panel_probes.ts";
import type { ProbeResult } from "../../lib/types.ts";
import { FakeTime } from "../fake_time.ts";

Deno.test("PanelProbes shows its observers tasks, orders and results", async () => {
  using time = new FakeTime();
  const seen: unknown[] = [];
  const results: ProbeResult[] = [];
  const probes = new PanelProbes({
    shell: undefined,
    allowLoopback: true,
    observers: [{}, {
      onProbeTasks: (tasks) => seen.push(["tasks", tasks.map(({ id }) => id)]),
      onProbeOrder: ({ id }) => seen.push(["order", id]),
      onProbeResult: ({ taskId, valueMs }) => seen.push(["result", taskId, valueMs]),
    }],
    onResult: (result) => results.push(result),
  });
  // Without a helper shell each ping is lost.
  const target = "127.0.0.1";
  probes.update([{ id: 1, kind: "icmp", target, intervalSeconds: 5 }]);
  probes.runOnce({ taskId: 2, probe: "icmp", target });
  await time.pass(5_000, { stepMs: 1_000 });
  probes.stop();
  await time.pass(20_000, { stepMs: 1_000 });
  assertEquals(seen, [["tasks", [1]], ["order", 2], ["result", 2, -1], ["result", 1, -1]]);
  assertEquals(results.map(({ taskId }) => taskId), [2, 1]);
});
