import { assertEquals } from "@std/assert";
import { PanelProbes } from "../../lib/agent/panel_probes.ts";
import { SystemResolver } from "../../lib/net/dns.ts";
import type { PanelObserver } from "../../lib/panel/observer.ts";
import { PanelError } from "../../lib/panel/panel_error.ts";
import { timed } from "../fake_time.ts";
import { DEFAULTS, fakeConnection } from "../panel/fake_connection.ts";
import { fakeResolver } from "../probe/fake_names.ts";

type Options = ConstructorParameters<typeof PanelProbes>[1];

// Without a helper shell each ping is lost.
const OPTIONS: Options = {
  shell: undefined,
  health: undefined,
  resolver: new SystemResolver(),
  machine: { interfaceAddresses: () => [] },
  allowLocal: true,
};

const RESULT = { taskId: 1, kind: "icmp", valueMs: 5, finishedAt: new Date(0) } as const;

/** Probes of a panel that accepts each result. */
function openProbes(observer: PanelObserver, options: Partial<Options> = {}) {
  const connection = fakeConnection(DEFAULTS, [{}, observer]);
  const sent: number[] = [];
  connection.sender.sendProbeResult = ({ taskId }) => (sent.push(taskId), Promise.resolve());
  const probes = new PanelProbes(connection, { ...OPTIONS, ...options });
  return { probes, sent, sender: connection.sender };
}

timed.test("PanelProbes sends results, shows its observers tasks, orders and results, and records that no ping can be sent", async (time) => {
  const seen: string[] = [];
  const problems: string[] = [];
  const { probes, sent } = openProbes({
    onProbeTasks: (tasks) => seen.push(`tasks ${tasks.map(({ id }) => id)}`),
    onProbeOrder: ({ id }) => seen.push(`order ${id}`),
    onProbeResult: ({ taskId, valueMs }) => seen.push(`result ${taskId}: ${valueMs}`),
    onOutcome: (error, call) => seen.push(`${call}: ${error}`),
  }, { health: { setProblem: (part) => void problems.push(part) } });
  const target = "127.0.0.1";
  probes.update([{ id: 1, kind: "icmp", target, intervalSeconds: 5 }]);
  probes.runOnce({ id: 2, kind: "icmp", target });
  await time.pass(5_000, { stepMs: 1_000 });
  await probes.close();
  await time.pass(20_000, { stepMs: 1_000 });
  assertEquals(seen, [
    ...["tasks 1", "order 2", "result 2: -1", "probe result: undefined"],
    ...["result 1: -1", "probe result: undefined"],
  ]);
  assertEquals(sent, [2, 1]);
  assertEquals(problems, ["ping"], "none can be sent");
});

timed.test("PanelProbes looks at what a name leads to, and at the machine's addresses, before it dials", async (time) => {
  const asked: string[] = [];
  const results: number[] = [];
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { probes } = openProbes({ onProbeResult: ({ valueMs }) => results.push(valueMs) }, {
    resolver: fakeResolver((host) => (asked.push(host), ["127.0.0.1"])),
    machine: { interfaceAddresses: () => (asked.push("own addresses"), []) },
    allowLocal: false,
  });
  probes.runOnce({ id: 1, kind: "tcp", target: `own.test:${listener.addr.port}` });
  await time.pass(5_000, { stepMs: 1_000 });
  await probes.close();
  assertEquals([asked, results], [["own.test", "own addresses"], [-1]]);
});

timed.test("PanelProbes sends a result once when the call fails, since the panel dates it by its arrival", async (time) => {
  const outcomes: unknown[] = [];
  const { probes, sender } = openProbes({ onOutcome: (error) => outcomes.push(error) });
  const failures = [
    new PanelError("no answer", { failure: "timeout" }),
    new PanelError("no such method", { failure: "rejected", code: -32601 }),
    new PanelError("the queue is full", { failure: "rejected", code: -32000 }),
    new PanelError("status 500", { failure: "rejected", status: 500 }),
  ];
  const sent: unknown[] = [];
  for (const failure of failures) {
    sender.sendProbeResult = () => (sent.push(failure), Promise.reject(failure));
    probes.send(RESULT);
    await time.pass(10_000, { stepMs: 1_000 });
  }
  await probes.close();
  assertEquals([sent, outcomes], [failures, failures]);
});

timed.test("PanelProbes has at most 16 results under way, and keeps the newest 1000 that wait", async (time) => {
  const { probes, sent, sender } = openProbes({});
  const held = Promise.withResolvers<void>();
  sender.sendProbeResult = ({ taskId }) => (sent.push(taskId), held.promise);
  for (let taskId = 1; taskId <= 1_116; taskId++) probes.send({ ...RESULT, taskId });
  await time.pass(100);
  assertEquals(sent, Array.from({ length: 16 }, (_, index) => index + 1));
  held.resolve();
  await time.pass(100);
  assertEquals([sent.length, sent[16], sent.at(-1)], [1_016, 117, 1_116]);
  await probes.close();
});
