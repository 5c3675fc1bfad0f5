import { assertEquals } from "@std/assert";
import { PanelProbes } from "../../lib/agent/panel_probes.ts";
import { SystemResolver } from "../../lib/net/dns.ts";
import type { ProbeResult } from "../../lib/types.ts";
import { FakeTime } from "../fake_time.ts";
import { DEFAULTS, fakeConnection } from "../panel/fake_connection.ts";

// Without a helper shell each ping is lost.
const OPTIONS = { shell: undefined, resolver: new SystemResolver(), allowLoopback: true };

Deno.test("PanelProbes sends results, and shows its observers tasks, orders and results", async () => {
  using time = new FakeTime();
  const seen: unknown[] = [];
  const connection = fakeConnection(DEFAULTS, [{}, {
    onProbeTasks: (tasks) => seen.push(["tasks", tasks.map(({ id }) => id)]),
    onProbeOrder: ({ id }) => seen.push(["order", id]),
    onProbeResult: ({ taskId, valueMs }) => seen.push(["result", taskId, valueMs]),
    onOutcome: (error, call) => seen.push([call, error]),
  }]);
  const results: ProbeResult[] = [];
  connection.sender.sendProbeResult = (result) => {
    results.push(result);
    return Promise.resolve();
  };
  const probes = new PanelProbes(connection, OPTIONS);
  const target = "127.0.0.1";
  probes.update([{ id: 1, kind: "icmp", target, intervalSeconds: 5 }]);
  probes.runOnce({ taskId: 2, probe: "icmp", target });
  await time.pass(5_000, { stepMs: 1_000 });
  await probes.close();
  await time.pass(20_000, { stepMs: 1_000 });
  assertEquals(seen, [
    ["tasks", [1]],
    ["order", 2],
    ["result", 2, -1],
    ["probe result", undefined],
    ["result", 1, -1],
    ["probe result", undefined],
  ]);
  assertEquals(results.map(({ taskId }) => taskId), [2, 1]);
});
