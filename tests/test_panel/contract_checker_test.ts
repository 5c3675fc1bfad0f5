import { assert, assertEquals, assertGreater } from "@std/assert";
import { panelFault } from "./faults.ts";
import { startTestPanel } from "./test_panel.ts";
import { deliverRpc, envelope, postRpc } from "../test_panel/fake_agent.ts";
import { BASIC_INFO, deliver, REPORT } from "../test_panel/fake_reporter.ts";
import { testsWith } from "../tests_with.ts";

const task = { id: 1, name: "Ping", type: "icmp", target: "127.0.0.1", interval: 3600 };

const withPanel = testsWith(() => startTestPanel({ tasks: [task] }));

const refused: [what: string, message: string, code: number][] = [
  ["broken JSON", "{", -32700],
  ["a list", "[]", -32700],
  ["null", "null", -32600],
  ["another version", '{"jsonrpc":"1.0","method":"agent.report"}', -32600],
  ["an unknown method", envelope("agent.reboot", {}, 1), -32601],
  ["no method", '{"jsonrpc":"2.0"}', -32601],
  ["parameters that are a list", envelope("agent.report", [], 1), -32602],
  ["a report that is a list", envelope("agent.report", { report: [] }, 1), -32602],
  [
    "a value out of range",
    envelope("agent.report", { report: { ...REPORT, cpu: { usage: 101 } } }, 1),
    -32000,
  ],
  [
    "ids that are no texts",
    envelope("agent.report", { report: REPORT, ack_event_ids: [1] }, 1),
    -32602,
  ],
  ["basic info that is a list", envelope("agent.basicInfo", { info: [] }, 1), -32602],
  [
    "an unknown column",
    envelope("agent.basicInfo", { info: { ...BASIC_INFO, wrong: 1 } }, 1),
    -32000,
  ],
  ["capabilities that are a text", envelope("agent.pull", { capabilities: "exec" }, 1), -32602],
];

for (const [what, message, code] of refused) {
  withPanel.test(`answerRpc() refuses ${what} with ${code}`, async (panel) => {
    const [status, answer] = await postRpc(panel, message);
    assertEquals([status, answer.error.code], [400, code]);
    const { counts } = panel.state;
    assertGreater(counts.violations, 0);
    assertEquals([counts.refused, counts.reports + counts.basicInfos], [1, 0]);
  });
}

withPanel.test("answerRpc() names an unknown column", async (panel) => {
  const info = { ...BASIC_INFO, wrong: 1 };
  const [, answer] = await postRpc(panel, envelope("agent.basicInfo", { info }, 1));
  assertEquals(answer.error.data, "no such column: wrong");
});

withPanel.test("answerRpc() sends events once a node counts as one of v2", async (panel) => {
  await deliverRpc(panel, "agent.report", { report: REPORT });
  assert(!panel.node.sendPing({ id: 1, kind: "icmp", target: "127.0.0.1" }), "still one of v1");
  await deliverRpc(panel, "agent.report", { report: REPORT });
  const taskId = panel.node.sendCommand("id");
  panel.node.sendPing({ id: 1, kind: "tcp", target: "127.0.0.1:1" });
  const { events } = await deliverRpc(panel, "agent.report", { report: REPORT });
  assertEquals(events.length, 2);
  const [exec, ping] = events;
  assertEquals([exec.method, exec.params], ["agent.exec", { task_id: taskId, command: "id" }]);
  assertEquals([ping.method, ping.params], [
    "agent.ping",
    { ping_task_id: 1, ping_type: "tcp", ping_target: "127.0.0.1:1" },
  ]);
  assertEquals(Date.parse(exec.expires_at) - Date.parse(exec.created_at), 300_000);
  assertEquals(Date.parse(ping.expires_at) - Date.parse(ping.created_at), 3_000);
  const again = await deliverRpc(panel, "agent.pull", { ack_event_ids: [exec.id] });
  assertEquals(again.events, [ping], "what is acknowledged does not come again");
  await deliver(panel, "report", REPORT);
  assert(!panel.node.sendPing({ id: 1, kind: "icmp", target: "127.0.0.1" }), "one of v1 again");
});

withPanel.test('answerRpc() fails under "rpc-32601" and "rpc-32000", for the calls named', async (panel) => {
  await panel.setFault(panelFault("rpc-32601"));
  assertEquals((await postRpc(panel, envelope("agent.pull", {}, 1)))[1].error.code, -32601);
  await panel.setFault(panelFault("rpc-32000", { calls: ["basic info"] }));
  const info = envelope("agent.basicInfo", { info: BASIC_INFO }, 1);
  assertEquals((await postRpc(panel, info))[1].error.code, -32000);
  await deliverRpc(panel, "agent.report", { report: REPORT });
  await deliver(panel, "report", REPORT);
});
