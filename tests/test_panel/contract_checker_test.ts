import { assert, assertEquals } from "@std/assert";
import { panelFault } from "./faults.ts";
import { startTestPanel } from "./test_panel.ts";
import { deliverRpc, envelope, postRpc } from "./fake_agent.ts";
import { BASIC_INFO, deliver, REPORT } from "./fake_reporter.ts";
import { testsWith } from "../tests_with.ts";

const task = { id: 1, name: "Ping", type: "icmp", target: "127.0.0.1", interval: 3600 };

const withPanel = testsWith(() => startTestPanel({ tasks: [task] }));

const report = (params: unknown) => envelope("agent.report", params, 1);
const info = (info: unknown) => envelope("agent.basicInfo", { info }, 1);

/** What the panel refuses, and the code; each is a violation. */
const REFUSED: readonly [message: string, code: number][] = [
  ["{", -32700],
  ["null", -32600],
  ['{"jsonrpc":"1.0","method":"agent.report"}', -32600],
  [envelope("agent.reboot", {}, 1), -32601],
  [report([]), -32602],
  [report({ report: { ...REPORT, cpu: { usage: 101 } } }), -32000],
  [report({ report: REPORT, ack_event_ids: [1] }), -32602],
  [info([]), -32602],
  [envelope("agent.pull", { capabilities: "exec" }, 1), -32602],
];

withPanel.test("the panel refuses what breaks the contract of version 2, and notes it", async (panel) => {
  for (const [index, [message, code]] of REFUSED.entries()) {
    const { violations } = panel.state.counts;
    const [status, answer] = await postRpc(panel, message);
    assertEquals([status, answer.error.code], [400, code], message);
    const { counts } = panel.state;
    assert(counts.violations > violations, message);
    assertEquals([counts.refused, counts.reports + counts.basicInfos], [index + 1, 0], message);
  }
  const [, answer] = await postRpc(panel, info({ ...BASIC_INFO, wrong: 1 }));
  assertEquals([answer.error.code, answer.error.data], [-32000, "no such column: wrong"]);
});

withPanel.test("the panel sends events once a node counts as one of v2", async (panel) => {
  await deliverRpc(panel, "agent.report", { report: REPORT });
  assert(!panel.node.sendPing({ id: 1, kind: "icmp", target: "127.0.0.1" }), "still one of v1");
  await deliverRpc(panel, "agent.report", { report: REPORT });
  const taskId = panel.node.sendCommand("id");
  panel.node.sendPing({ id: 1, kind: "tcp", target: "127.0.0.1:1" });
  const { events: [exec, ping] } = await deliverRpc(panel, "agent.report", { report: REPORT });
  assertEquals([exec.method, exec.params], ["agent.exec", { task_id: taskId, command: "id" }]);
  const params = { ping_task_id: 1, ping_type: "tcp", ping_target: "127.0.0.1:1" };
  assertEquals([ping.method, ping.params], ["agent.ping", params]);
  assertEquals(Date.parse(exec.expires_at) - Date.parse(exec.created_at), 300_000);
  assertEquals(Date.parse(ping.expires_at) - Date.parse(ping.created_at), 3_000);
  const again = await deliverRpc(panel, "agent.pull", { ack_event_ids: [exec.id] });
  assertEquals(again.events, [ping], "what is acknowledged does not come again");
  await deliver(panel, "report", REPORT);
  assert(!panel.node.sendPing({ id: 1, kind: "icmp", target: "127.0.0.1" }), "one of v1 again");
});

withPanel.test('the panel fails under "rpc-32000", for the calls named', async (panel) => {
  await panel.setFault(panelFault("rpc-32000", { calls: ["basic info"] }));
  assertEquals((await postRpc(panel, info(BASIC_INFO)))[1].error.code, -32000);
  await deliverRpc(panel, "agent.report", { report: REPORT });
});
