import { assertEquals } from "@std/assert";
import { PanelProbes } from "../../lib/agent/panel_probes.ts";
import { SystemResolver } from "../../lib/net/dns.ts";
import type { ProbeResult } from "../../lib/types.ts";
import { PanelError } from "../../lib/panel/panel_error.ts";
import { timed } from "../fake_time.ts";
import { DEFAULTS, fakeConnection } from "../panel/fake_connection.ts";
import { fakeResolver } from "../probe/fake_names.ts";

// Without a helper shell each ping is lost.
const OPTIONS = {
  shell: undefined,
  health: undefined,
  resolver: new SystemResolver(),
  machine: { interfaceAddresses: () => [] },
  allowLocal: true,
};

const RESULT = { taskId: 1, kind: "icmp", valueMs: 5, finishedAt: new Date(0) } as const;

timed.test("PanelProbes sends results, shows its observers tasks, orders and results, and records that no ping can be sent", async (time) => {
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
  const problems: string[] = [];
  const health = { setProblem: (part: string) => void problems.push(part) };
  const probes = new PanelProbes(connection, { ...OPTIONS, health });
  const target = "127.0.0.1";
  probes.update([{ id: 1, kind: "icmp", target, intervalSeconds: 5 }]);
  probes.runOnce({ id: 2, kind: "icmp", target });
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
  assertEquals(problems, ["ping"], "none can be sent");
});

timed.test("PanelProbes looks at what a name leads to, and at the machine's addresses, before it dials", async (time) => {
  const asked: string[] = [];
  const results: ProbeResult[] = [];
  const connection = fakeConnection(DEFAULTS, [{ onProbeResult: (it) => results.push(it) }]);
  connection.sender.sendProbeResult = () => Promise.resolve();
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const probes = new PanelProbes(connection, {
    ...OPTIONS,
    resolver: fakeResolver((host) => (asked.push(host), ["127.0.0.1"])),
    machine: { interfaceAddresses: () => (asked.push("own addresses"), []) },
    allowLocal: false,
  });
  probes.runOnce({ id: 1, kind: "tcp", target: `own.test:${listener.addr.port}` });
  await time.pass(5_000, { stepMs: 1_000 });
  await probes.close();
  assertEquals(asked, ["own.test", "own addresses"]);
  assertEquals(results.map(({ valueMs }) => valueMs), [-1]);
});

timed.test("PanelProbes sends a result once when the call fails, since the panel dates it by its arrival", async (time) => {
  const outcomes: unknown[] = [];
  const connection = fakeConnection(DEFAULTS, [{ onOutcome: (error) => outcomes.push(error) }]);
  const failures = [
    new PanelError("no answer", { failure: "timeout" }),
    new PanelError("no such method", { failure: "rejected", code: -32601 }),
    new PanelError("the queue is full", { failure: "rejected", code: -32000 }),
    new PanelError("status 500", { failure: "rejected", status: 500 }),
  ];
  const probes = new PanelProbes(connection, OPTIONS);
  for (const failure of failures) {
    let sent = 0;
    connection.sender.sendProbeResult = () => (sent++, Promise.reject(failure));
    probes.send(RESULT);
    await time.pass(10_000, { stepMs: 1_000 });
    assertEquals(sent, 1);
  }
  assertEquals(outcomes, failures);
  await probes.close();
});

timed.test("PanelProbes has at most 16 results under way, and keeps the newest 1000 that wait", async (time) => {
  const connection = fakeConnection(DEFAULTS);
  const sent: number[] = [];
  const held = Promise.withResolvers<void>();
  connection.sender.sendProbeResult = ({ taskId }) => (sent.push(taskId), held.promise);
  const probes = new PanelProbes(connection, OPTIONS);
  for (let taskId = 1; taskId <= 1_116; taskId++) probes.send({ ...RESULT, taskId });
  await time.pass(100);
  assertEquals(sent, Array.from({ length: 16 }, (_, index) => index + 1));
  held.resolve();
  await time.pass(100);
  assertEquals([sent.length, sent[16], sent.at(-1)], [1_016, 117, 1_116]);
  await probes.close();
});
