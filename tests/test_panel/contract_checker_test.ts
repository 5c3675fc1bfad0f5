import { assert, assertEquals } from "@std/assert";
import { startTestPanel } from "./test_panel.ts";
import { envelope, postRpc } from "./fake_agent.ts";
import { BASIC_INFO, REPORT } from "./fake_reporter.ts";
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
