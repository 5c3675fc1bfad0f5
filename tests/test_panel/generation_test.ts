import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { type GenerationName, generations } from "./generation.ts";
import { startTestPanel, type TestPanel } from "./test_panel.ts";
import { timed } from "../fake_time.ts";
import { deliverRpc, dial, envelope, postRpc } from "./fake_agent.ts";
import { deliver, REPORT } from "./fake_reporter.ts";

function openPanel(generation: GenerationName): Promise<TestPanel> {
  return startTestPanel({ generation, discoveryKey: "d1scovery-k3y" });
}

/** The status and the media type of an answer. */
async function answerOf(panel: TestPanel, method: string, path: string): Promise<string> {
  const body = method === "POST" ? "{}" : null;
  const response = await fetch(`${panel.url}${path}?token=${panel.token}`, { method, body });
  const type = response.headers.get("content-type")?.split(";")[0];
  await response.body?.cancel();
  return `${response.status} ${type}`;
}

const OK = "200 application/json";
const PAGE = "200 text/html";
const NOT_FOUND = "404 text/plain";
const [JSON_400, JSON_403, JSON_404, JSON_500] = [400, 403, 404, 500].map((status) =>
  `${status} application/json`
);
/** The answers to `{}` or to a GET, for 1.1, 1.4 and, alike, 1.5 and main. */
const routes: readonly (readonly [string, string, readonly (string | undefined)[]])[] = [
  ["GET", "/api/version", [OK, OK, OK]],
  ["POST", "/api/clients/report", [OK, OK, NOT_FOUND]],
  ["POST", "/api/clients/uploadBasicInfo", [JSON_500, OK, NOT_FOUND]],
  ["POST", "/api/clients/ping/result", [JSON_400, OK, NOT_FOUND]],
  ["POST", "/api/clients/task/result", [JSON_400, OK, NOT_FOUND]],
  ["GET", "/api/clients/ping/tasks", [OK, OK, PAGE]],
  ["GET", "/api/clients/report", [JSON_400, JSON_400, PAGE]],
  ["GET", "/api/clients/v2/rpc", [PAGE, JSON_400, JSON_400]],
  ["POST", "/api/clients/v2/rpc", [NOT_FOUND, JSON_400, JSON_400]],
  ["POST", "/api/clients/transfer/x", [NOT_FOUND, NOT_FOUND, "401 text/plain"]],
  ["POST", "/api/clients/register", [JSON_403, JSON_403, JSON_403]],
  ["GET", "/api/clients/terminal", [JSON_404, JSON_404, JSON_404]],
];

for (const [name, index] of [["1.1", 0], ["1.4", 1], ["1.5", 2], ["main", 2]] as const) {
  Deno.test(`a panel ${name} has its version, and exactly the routes of its generation`, async () => {
    using panel = await openPanel(name);
    for (const [method, path, answers] of routes) {
      assertEquals(await answerOf(panel, method, path), answers[index], `${method} ${path}`);
    }
    const { data } = await (await fetch(`${panel.url}/api/version`)).json();
    assertEquals(data.version, generations[name].version);
  });
}

Deno.test("a panel 1.5 answers a WebSocket of v1 with a page, a wrong token of v2 with 401", async () => {
  using panel = await openPanel("1.5");
  const v1 = dial(panel, "v1");
  await v1.until(() => v1.refusal !== undefined);
  assertStringIncludes(v1.refusal ?? "", "200 <!DOCTYPE html>");
  const v2 = dial({ url: panel.url, token: "wrong" }, "v2");
  await v2.until(() => v2.refusal !== undefined);
  assertStringIncludes(v2.refusal ?? "", "401 {");
});

Deno.test("a panel 1.5 accepts results of commands by v2, also again; a panel 1.4 does not", async () => {
  const finished_at = "2026-01-02T03:04:05Z";
  using panel = await openPanel("1.5");
  await deliverRpc(panel, "agent.report", { report: REPORT });
  const task_id = panel.node.sendCommand("id");
  const result = { task_id, result: "", exit_code: 3, finished_at };
  await deliverRpc(panel, "agent.taskResult", result);
  await deliverRpc(panel, "agent.taskResult", { ...result, exit_code: 4 });
  assertEquals(panel.state.commandResults.map(({ value }) => value.exitCode), [3, 4]);
  assertEquals(panel.state.violations, []);
  using older = await openPanel("1.4");
  const params = { task_id: "x", result: "", exit_code: 0, finished_at };
  const [, answer] = await postRpc(older, envelope("agent.taskResult", params, 1));
  assertEquals(answer.error.code, -32601);
  assertEquals(older.state.violations, [], "an agent may try");
});

const table = [["1.4", ["terminal: was dialled before"]], ["1.5", []]] as const;
for (const [name, violations] of table) {
  Deno.test(`a second dial of a connected terminal replaces the first: ${name}`, async () => {
    using panel = await openPanel(name);
    const socket = await dial(panel, "v2").opened();
    const id = panel.terminals.request();
    const first = await dial(panel, "terminal", `&id=${id}`).opened();
    await panel.terminals.get(id).until(({ isConnected }) => isConnected);
    const second = await dial(panel, "terminal", `&id=${id}`).opened();
    assertEquals(await first.ended(), 1006);
    assertEquals(panel.state.violations.map(({ text }) => text), [...violations]);
    second.socket.terminate();
    socket.socket.terminate();
  });
}

const cases = [["1.4", 11_000, false], ["1.5", 11_000, false], ["main", 75_000, true]] as const;
for (const [name, timeoutMs, acceptsPings] of cases) {
  timed.test(`a panel ${name} drops a WebSocket ${timeoutMs / 1000} s after the last data`, async (time) => {
    using panel = await openPanel(name);
    const socket = await dial(panel, "v2").opened();
    socket.socket.send(envelope("agent.report", { report: REPORT }, 1));
    await socket.message(0);
    await time.pass(timeoutMs - 100, { stepMs: 500 });
    assertEquals(socket.ending, undefined);
    socket.socket.ping();
    await socket.until(() => socket.pongs === 1);
    await time.pass(200, { stepMs: 100 });
    if (acceptsPings) {
      assertEquals(socket.ending, undefined, "a ping counts");
      await time.pass(timeoutMs, { stepMs: 500 });
    }
    assertEquals(await socket.ended(), 1006);
  });
}

for (const [name, presenceMs] of [["1.1", 11_000], ["1.4", 35_000], ["1.5", 35_000]] as const) {
  timed.test(`a panel ${name} shows a node as online ${presenceMs / 1000} s after a report`, async (time) => {
    using panel = await openPanel(name);
    assert(!panel.node.isOnline);
    if (name === "1.1") await deliver(panel, "report", REPORT);
    else await deliverRpc(panel, "agent.report", { report: REPORT });
    await time.pass(presenceMs - 100, { stepMs: 500 });
    assert(panel.node.isOnline);
    await time.pass(200, { stepMs: 100 });
    assert(!panel.node.isOnline);
  });
}
