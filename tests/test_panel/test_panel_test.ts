import { panelFault } from "../test_panel/faults.ts";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { startTestPanel } from "./test_panel.ts";
import {
  BASIC_INFO,
  call,
  deliver,
  type Path,
  PING_RESULT,
  post,
  REPORT,
} from "../test_panel/fake_reporter.ts";
import { testsWith } from "../tests_with.ts";

const task = { id: 1, name: "Ping", type: "icmp", target: "127.0.0.1", interval: 60 };

const withPanel = testsWith(() => startTestPanel({ tasks: [task] }));

withPanel.test("startTestPanel() accepts the four calls of an agent", async (panel) => {
  await deliver(panel, "uploadBasicInfo", BASIC_INFO);
  await deliver(panel, "report", REPORT);
  await deliver(panel, "ping/result", PING_RESULT);
  const list = await call(panel, "ping/tasks");
  assertEquals(list.headers.get("content-type"), "application/json; charset=utf-8");
  assertEquals(await list.json(), [{ ...task, weight: 0, clients: [], default_on: false }]);

  const { state } = panel;
  assertEquals(state.columns, BASIC_INFO);
  assertEquals(state.reports.map((report) => report.value), [REPORT]);
  assertEquals(state.pingResults[0]?.value.valueMs, 12);
  assertEquals(state.violations, []);
  assertEquals(state.calls.map((call) => [call.method, call.path, call.status]), [
    ["POST", "/api/clients/uploadBasicInfo", 200],
    ["POST", "/api/clients/report", 200],
    ["POST", "/api/clients/ping/result", 200],
    ["GET", "/api/clients/ping/tasks", 200],
  ]);
  assertEquals(state.counts.taskLists, 1);
  assertEquals(state.counts.connections, 1, "connections are reused");
});

withPanel.test("startTestPanel() refuses a wrong token on each call", async (panel) => {
  const stranger = { url: panel.url, token: "wrong" };
  const paths: Path[] = ["uploadBasicInfo", "report", "ping/result"];
  for (const path of paths) {
    assertEquals(await post(stranger, path, "{"), [
      401,
      '{"status":"error","message":"Unauthorized."}',
    ]);
  }
  const list = await call(stranger, "ping/tasks");
  assertEquals(list.status, 401);
  await list.body?.cancel();
  assertEquals(panel.state.counts.refused, 0);
});

withPanel.test("startTestPanel() refuses compressed bodies with 400", async (panel) => {
  for (const [path, value] of [["report", REPORT], ["uploadBasicInfo", BASIC_INFO]] as const) {
    const zipped = new Blob([JSON.stringify(value)]).stream()
      .pipeThrough(new CompressionStream("gzip"));
    const response = await call(panel, path, {
      method: "POST",
      body: await new Response(zipped).blob(),
      headers: { "content-encoding": "gzip" },
    });
    await response.body?.cancel();
    assertEquals(response.status, 400);
  }
});

withPanel.test("startTestPanel() records a token in a message and never repeats it", async (panel) => {
  await post(panel, "report", { ...REPORT, message: panel.token });
  await post(panel, "ping/result", { ...PING_RESULT, finished_at: panel.token });
  const texts = panel.state.violations.map((violation) => violation.text).join("\n");
  assertStringIncludes(texts, "report: holds the token");
  assert(!texts.includes(panel.token));
});

withPanel.test('setFault("no-extra-columns") refuses columns missing on old panels', async (panel) => {
  await panel.setFault(panelFault("no-extra-columns"));
  assertEquals((await post(panel, "uploadBasicInfo", BASIC_INFO))[0], 500);
  const { kernel_version: _kernel, cpu_physical_cores: _cores, ...rest } = BASIC_INFO;
  await deliver(panel, "uploadBasicInfo", rest);
  assertEquals(panel.state.violations, []);
});

withPanel.test("setFault() affects only the calls that are named", async (panel) => {
  await panel.setFault(panelFault("close", { calls: ["task list"] }));
  await deliver(panel, "report", REPORT);
  await assertRejects(() => call(panel, "ping/tasks"), TypeError);
  assertEquals(
    // A client may try a GET again on a fresh connection.
    panel.state.calls.slice(0, 2).map((call) => [call.path, call.status]),
    [["/api/clients/report", 200], ["/api/clients/ping/tasks", undefined]],
  );
});
