import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { type GenerationName, generations } from "./generation.ts";
import { startTestPanel, type TestPanel } from "./test_panel.ts";
import { FakeTime } from "../fake_time.ts";
import { deliverRpc, dial, envelope, postRpc } from "../test_panel/fake_agent.ts";
import { BASIC_INFO, deliver, REPORT } from "../test_panel/fake_reporter.ts";

async function withPanel(
  generation: GenerationName,
  use: (panel: TestPanel) => Promise<void>,
): Promise<void> {
  using panel = await startTestPanel({ generation, discoveryKey: "d1scovery-k3y" });
  await use(panel);
}

/** The status and the media type of an answer. */
async function answerOf(panel: TestPanel, method: string, path: string): Promise<string> {
  const body = method === "POST" ? "{}" : null;
  const response = await fetch(`${panel.url}${path}?token=${panel.token}`, { method, body });
  const type = response.headers.get("content-type")?.split(";")[0];
  await response.body?.cancel();
  return `${response.status} ${type}`;
}

const PAGE = "200 text/html";
const NOT_FOUND = "404 text/plain";
const JSON_400 = "400 application/json";
/** The answers to `{}` or to a GET, for 1.1, 1.4 and, alike, 1.5 and main. */
const routes: readonly (readonly [string, string, readonly [string, string, string]])[] = [
  ["GET", "/api/version", ["200 application/json", "200 application/json", "200 application/json"]],
  ["POST", "/api/clients/report", ["200 application/json", "200 application/json", NOT_FOUND]],
  ["POST", "/api/clients/uploadBasicInfo", [
    "500 application/json",
    "200 application/json",
    NOT_FOUND,
  ]],
  ["POST", "/api/clients/ping/result", [JSON_400, "200 application/json", NOT_FOUND]],
  ["POST", "/api/clients/task/result", [JSON_400, "200 application/json", NOT_FOUND]],
  ["GET", "/api/clients/ping/tasks", ["200 application/json", "200 application/json", PAGE]],
  ["GET", "/api/clients/report", [JSON_400, JSON_400, PAGE]],
  ["GET", "/api/clients/v2/rpc", [PAGE, JSON_400, JSON_400]],
  ["POST", "/api/clients/v2/rpc", [NOT_FOUND, JSON_400, JSON_400]],
  ["POST", "/api/clients/transfer/x", [NOT_FOUND, NOT_FOUND, "401 text/plain"]],
  ["POST", "/api/clients/register", [
    "403 application/json",
    "403 application/json",
    "403 application/json",
  ]],
  ["GET", "/api/clients/terminal", [
    "404 application/json",
    "404 application/json",
    "404 application/json",
  ]],
];

for (const [name, index] of [["1.1", 0], ["1.4", 1], ["1.5", 2], ["main", 2]] as const) {
  Deno.test(`a panel ${name} has exactly the routes of its generation`, () =>
    withPanel(name, async (panel) => {
      for (const [method, path, answers] of routes) {
        assertEquals(await answerOf(panel, method, path), answers[index], `${method} ${path}`);
      }
    }));

  Deno.test(`a panel ${name} names its version`, () =>
    withPanel(name, async (panel) => {
      const { data } = await (await fetch(`${panel.url}/api/version`)).json();
      assertEquals(data.version, generations[name].version);
    }));
}

Deno.test("a panel 1.5 answers a WebSocket of v1 with a page, a wrong token of v2 with 401", () =>
  withPanel("1.5", async (panel) => {
    const v1 = dial(panel, "v1");
    await v1.until(() => v1.refusal !== undefined);
    assertStringIncludes(v1.refusal ?? "", "200 <!DOCTYPE html>");
    const v2 = dial({ url: panel.url, token: "wrong" }, "v2");
    await v2.until(() => v2.refusal !== undefined);
    assertStringIncludes(v2.refusal ?? "", "401 {");
  }));

Deno.test("a panel 1.1 ignores a foreign origin", () =>
  withPanel("1.1", async (panel) => {
    const response = await fetch(`${panel.url}/api/clients/report?token=${panel.token}`, {
      method: "POST",
      body: JSON.stringify(REPORT),
      headers: { origin: "http://evil.example" },
    });
    await response.body?.cancel();
    assertEquals(response.status, 200);
  }));

Deno.test("a node of a panel 1.5 gets orders from its first report by POST on", () =>
  withPanel("1.5", async (panel) => {
    assert(!panel.node.sendPing({ id: 1, kind: "icmp", target: "127.0.0.1" }));
    await deliverRpc(panel, "agent.report", { report: REPORT });
    assert(panel.node.isOnline);
    const task_id = panel.node.sendCommand("id");
    const request_id = panel.terminals.request();
    panel.terminals.request(request_id);
    const { events } = await deliverRpc(panel, "agent.report", { report: REPORT });
    assertEquals(
      events.map(({ method, params }: { method: string; params: unknown }) => [
        method,
        params,
      ]),
      [
        ["agent.exec", { task_id, command: "id" }],
        ["agent.terminal.request", { request_id }],
      ],
      "a newer request of the same terminal replaces the older",
    );
  }));

Deno.test("a node of a panel 1.5 gets no orders between its WebSocket and the next report", () =>
  withPanel("1.5", async (panel) => {
    const socket = await dial(panel, "v2").opened();
    socket.socket.send(envelope("agent.report", { report: REPORT }, 1));
    await socket.message(0);
    socket.socket.terminate();
    await panel.state.until(({ sockets }) => sockets.present === undefined);
    assertThrows(() => panel.node.sendCommand("id"), Error, "Cannot send");
    assert(panel.node.isOnline, "for 35 s from its last report");
    await deliverRpc(panel, "agent.report", { report: REPORT });
    panel.node.sendCommand("id");
  }));

Deno.test("a panel 1.5 accepts results of commands by v2, also again; a panel 1.4 does not", async () => {
  const finished_at = "2026-01-02T03:04:05Z";
  await withPanel("1.5", async (panel) => {
    await deliverRpc(panel, "agent.report", { report: REPORT });
    const task_id = panel.node.sendCommand("id");
    const result = { task_id, result: "", exit_code: 3, finished_at };
    await deliverRpc(panel, "agent.taskResult", result);
    await deliverRpc(panel, "agent.taskResult", { ...result, exit_code: 4 });
    assertEquals(panel.state.commandResults.map(({ value }) => value.exitCode), [3, 4]);
    assertEquals(panel.state.violations, []);
  });
  await withPanel("1.4", async (panel) => {
    const params = { task_id: "x", result: "", exit_code: 0, finished_at };
    const [, answer] = await postRpc(panel, envelope("agent.taskResult", params, 1));
    assertEquals(answer.error.code, -32601);
    assertEquals(panel.state.violations, [], "an agent may try");
  });
});

Deno.test("only a panel of main asks for the configuration and switches versions", async () => {
  await withPanel("main", async (panel) => {
    const socket = await dial(panel, "v2").opened();
    const config = panel.requestStartupConfig();
    const { method, params: { request_id } } = await socket.message(0);
    assertEquals(method, "agent.startupConfig");
    const answer = { request_id, config: { interval: 3 } };
    await deliverRpc(panel, "agent.startupConfig.result", answer);
    assertEquals(JSON.stringify(await config), '{"interval":3}');
    const [, late] = await postRpc(panel, envelope("agent.startupConfig.result", answer, 1));
    assertEquals(late.error.code, -32004);
    assert(panel.switchVersion("latest"));
    assertEquals((await socket.message(1)).params, { version: "latest" });
    socket.socket.terminate();
  });
  await withPanel("1.5", async (panel) => {
    await deliverRpc(panel, "agent.report", { report: REPORT });
    await assertRejects(() => panel.requestStartupConfig(), Error, "can't be reached");
    assert(!panel.switchVersion("latest"));
    const [, answer] = await postRpc(panel, envelope("agent.startupConfig.result", {}, 1));
    assertEquals(answer.error.code, -32601);
  });
});

Deno.test("a panel 1.5 refuses unknown columns with -32000", () =>
  withPanel("1.5", async (panel) => {
    const info = { ...BASIC_INFO, agent_report_interval: 3 };
    const [, answer] = await postRpc(panel, envelope("agent.basicInfo", { info }, 1));
    assertEquals([answer.error.code, answer.error.data], [
      -32000,
      "no such column: agent_report_interval",
    ]);
  }));

Deno.test("a terminal of a panel 1.5 is a session that outlives its connections", () =>
  withPanel("1.5", async (panel) => {
    const socket = await dial(panel, "v2").opened();
    const id = panel.terminals.request();
    assertEquals(await socket.message(0), {
      jsonrpc: "2.0",
      method: "agent.terminal.request",
      params: { request_id: id },
    });
    const first = await dial(panel, "terminal", `&id=${id}`).opened();
    const terminal = panel.terminals.get(id);
    await terminal.until(({ isConnected }) => isConnected);
    terminal.detachBrowser();
    assertEquals(await first.ended(), 1006, "the browser's end ends the agent's connection");
    const early = dial(panel, "terminal", `&id=${id}`);
    await early.until(() => early.refusal !== undefined);
    assertStringIncludes(early.refusal ?? "", "Session not found");

    panel.terminals.request(id);
    assertEquals((await socket.message(1)).params, { request_id: id });
    const second = await dial(panel, "terminal", `&id=${id}`).opened();
    await terminal.until(({ isConnected }) => isConnected);
    second.socket.terminate();
    await terminal.until(({ isConnected }) => !isConnected);
    assert(!terminal.isOver, "the agent may lose its connection, too");

    panel.terminals.request(id);
    const third = await dial(panel, "terminal", `&id=${id}`).opened();
    await terminal.until(({ isConnected }) => isConnected);
    terminal.close();
    assertEquals(await third.message(0), { type: "close" });
    assertEquals(await third.ended(), 1006);
    assert(terminal.isOver);
    assertEquals(panel.state.violations, []);
    socket.socket.terminate();
  }));

for (
  const [name, violations] of [["1.4", ["terminal: was dialled before"]], ["1.5", []]] as const
) {
  Deno.test(`a second dial of a connected terminal replaces the first: ${name}`, () =>
    withPanel(name, async (panel) => {
      const socket = await dial(panel, "v2").opened();
      const id = panel.terminals.request();
      const first = await dial(panel, "terminal", `&id=${id}`).opened();
      await panel.terminals.get(id).until(({ isConnected }) => isConnected);
      const second = await dial(panel, "terminal", `&id=${id}`).opened();
      assertEquals(await first.ended(), 1006);
      assertEquals(panel.state.violations.map(({ text }) => text), [...violations]);
      second.socket.terminate();
      socket.socket.terminate();
    }));
}

for (
  const [name, timeoutMs, acceptsPings] of [
    ["1.4", 11_000, false],
    ["1.5", 11_000, false],
    ["main", 75_000, true],
  ] as const
) {
  Deno.test(`a panel ${name} drops a WebSocket ${timeoutMs / 1000} s after the last data`, async () => {
    using time = new FakeTime();
    await withPanel(name, async (panel) => {
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
  });
}

for (const [name, presenceMs] of [["1.1", 11_000], ["1.4", 35_000], ["1.5", 35_000]] as const) {
  Deno.test(`a panel ${name} shows a node as online ${presenceMs / 1000} s after a report`, async () => {
    using time = new FakeTime();
    await withPanel(name, async (panel) => {
      assert(!panel.node.isOnline);
      if (name === "1.1") await deliver(panel, "report", REPORT);
      else await deliverRpc(panel, "agent.report", { report: REPORT });
      await time.pass(presenceMs - 100, { stepMs: 500 });
      assert(panel.node.isOnline);
      await time.pass(200, { stepMs: 100 });
      assert(!panel.node.isOnline);
    });
  });
}

Deno.test("a node of a panel 1.4 is offline at once when its WebSocket of v1 ends", () =>
  withPanel("1.4", async (panel) => {
    const socket = await dial(panel, "v1").opened();
    socket.socket.send(JSON.stringify(REPORT));
    await panel.state.until(({ sockets }) => sockets.present === "v1");
    assert(panel.node.isOnline);
    socket.socket.terminate();
    await panel.state.until(({ sockets }) => sockets.present === undefined);
    assert(!panel.node.isOnline);
  }));

Deno.test("a session of a terminal ends after five minutes without a browser", async () => {
  using time = new FakeTime();
  await withPanel("1.5", async (panel) => {
    const socket = await dial(panel, "v2").opened();
    const id = panel.terminals.request();
    const agent = await dial(panel, "terminal", `&id=${id}`).opened();
    const terminal = panel.terminals.get(id);
    await terminal.until(({ isConnected }) => isConnected);
    socket.socket.terminate();
    await time.pass(6 * 60_000, { stepMs: 5_000 });
    assert(terminal.isConnected, "one that is connected does not end");
    terminal.detachBrowser();
    await agent.ended();
    await time.pass(5 * 60_000 - 100, { stepMs: 5_000 });
    assert(!terminal.isOver);
    await time.pass(200, { stepMs: 100 });
    assert(terminal.isOver);
  });
});
