import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { faults } from "../../lib/demo/fault.ts";
import { StandInPanel } from "../../lib/demo/stand_in_panel.ts";
import { sameLater } from "../cases.ts";
import { deliverRpc, dial, envelope, postRpc } from "../test_panel/fake_agent.ts";
import { BASIC_INFO, PING_RESULT, REPORT } from "../test_panel/fake_reporter.ts";
import { realDeadline } from "../real_deadline.ts";
import { startPanel, withPanel } from "./page_panel.ts";

const MIB = 1024 * 1024;
const MESSAGE = envelope("agent.report", { report: REPORT }, 1);

withPanel.test("StandInPanel accepts the messages of an agent by POST, and sends orders with a pull", async (panel) => {
  const { state, node } = panel;
  await deliverRpc(panel, "agent.basicInfo", { info: BASIC_INFO });
  const report = await deliverRpc(panel, "agent.report", { report: REPORT });
  assertEquals(report, { events: [], status: "success" });
  await deliverRpc(panel, "agent.pingResult", PING_RESULT);
  assertEquals(state.columns, BASIC_INFO);
  assertEquals(state.reports.map(({ by, value }) => [by, value]), [["v2 post", REPORT]]);
  assertEquals(state.pingResults[0]?.value.valueMs, 12);
  assert(node.isReachable);
  node.sendPing({ id: 1, kind: "tcp", target: "127.0.0.1" });
  const { events: [order] } = await deliverRpc(panel, "agent.pull", {});
  assertEquals([order.method, order.params.ping_task_id], ["agent.ping", 1]);
  assertEquals(state.counts.refused, 0);
});

/** The status of a call, which may be compressed. */
async function statusOf(
  { url, token }: StandInPanel,
  { path = `/api/clients/v2/rpc?token=${token}`, ...init }: RequestInit & { path?: string } = {},
): Promise<number> {
  const response = await fetch(url + path, init);
  await response.body?.cancel();
  return response.status;
}

withPanel.test("StandInPanel takes messages of 8 MiB and no longer ones, compressed or not", async (panel) => {
  const status = async (bytes: number, isPacked: boolean) => {
    const plain = new Blob([MESSAGE + " ".repeat(bytes - MESSAGE.length)]);
    if (!isPacked) return await statusOf(panel, { method: "POST", body: plain });
    const body = plain.stream().pipeThrough(new CompressionStream("gzip"));
    const headers = { "content-encoding": "gzip" };
    return await statusOf(panel, { method: "POST", body, headers });
  };
  for (const isPacked of [false, true]) {
    assertEquals([await status(8 * MIB, isPacked), await status(8 * MIB + 1, isPacked)], [
      200,
      413,
    ]);
  }
  assertEquals(panel.state.counts.reports, 2);
});

withPanel.test("StandInPanel refuses messages that it can't read, and strangers", async (panel) => {
  const table = [
    ["{", -32700],
    ["[]", -32700],
    ['{"method":"agent.report"}', -32600],
    [envelope("agent.reboot", {}, 1), -32601],
  ] as const;
  for (const [message, code] of table) {
    const [status, { error }] = await postRpc(panel, message);
    assertEquals([status, error.code], [400, code], message);
  }
  assertEquals(panel.state.counts.refused, 4);
  const post = { method: "POST", body: MESSAGE };
  const broken = { ...post, headers: { "content-encoding": "gzip" } };
  const foreign = { ...post, headers: { origin: "http://evil.example" } };
  const stranger = { ...post, path: "/api/clients/v2/rpc?token=wrong" };
  await sameLater((init: RequestInit) => statusOf(panel, init), [
    [broken, 400],
    [foreign, 403],
    [stranger, 401],
  ]);
  assertEquals(panel.state.counts.reports, 0);
});

withPanel.test("StandInPanel serves an agent's WebSocket and its orders, until another one comes", async (panel) => {
  const socket = await dial(panel, "v2").opened();
  socket.socket.send(MESSAGE);
  assertEquals((await socket.message(0)).result.status, "success");
  panel.node.sendPing({ id: 1, kind: "icmp", target: "::1" });
  assertEquals((await socket.message(1)).method, "agent.ping");
  const second = await dial(panel, "v2").opened();
  await socket.ended();
  assert(panel.node.connection !== undefined);
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  const detach = panel.node.detach.bind(panel.node);
  panel.node.detach = (connection) => resolve(detach(connection));
  second.socket.terminate();
  await realDeadline(ended);
  assertEquals(panel.node.connection, undefined);
});

withPanel.test("StandInPanel has the routes of the newest generation", async (panel) => {
  const ask = async (method: string, path: string) => {
    const response = await fetch(`${panel.url}${path}?token=${panel.token}`, { method });
    await response.body?.cancel();
    return `${response.status} ${response.headers.get("content-type")?.split(";")[0]}`;
  };
  assertEquals(await ask("GET", "/api/version"), "200 application/json");
  assertEquals(await ask("GET", "/api/clients/v2/rpc"), "400 application/json");
  assertEquals(await ask("POST", "/api/clients/report"), "404 text/plain");
  assertEquals(await ask("GET", "/anything"), "200 text/html");
});

/** The status and text of a report by POST, or the reason why there is no answer. */
async function outcomeOfPost(panel: StandInPanel, timeoutMs = 60_000): Promise<string> {
  const url = `${panel.url}/api/clients/v2/rpc?token=${panel.token}`;
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    const response = await fetch(url, { method: "POST", body: MESSAGE, signal });
    return `${response.status} ${(await response.text()).slice(0, 20)}`;
  } catch (error) {
    assert(error instanceof Error);
    return error.name;
  }
}

/** What a report by POST, and a WebSocket, meet under each fault. */
const outcomes: Readonly<Record<string, readonly [post: RegExp, refusal: RegExp | undefined]>> = {
  "websocket-refused": [/^200 \{/, /^403 WebSockets/],
  "token-refused": [/^401 \{/, /^401 \{/],
  "server-error": [/^502 <html>/, /^502 <html>/],
  "html": [/^200 <!DOCTYPE/, /^200 <!DOCTYPE/],
  "silence": [/^TimeoutError$/, undefined],
};

for (const fault of faults) {
  withPanel.test(`StandInPanel.setFault("${fault.name}") ends the WebSocket, affects calls at once and ends at once`, async (panel) => {
    const [post = /none/, refusal] = outcomes[fault.name] ?? [];
    const before = await dial(panel, "v2").opened();
    panel.setFault(fault);
    await before.ended();
    // Nothing tells when an answer never comes.
    assertMatch(await outcomeOfPost(panel, fault.name === "silence" ? 60 : undefined), post);
    const refused = dial(panel, "v2");
    if (refusal !== undefined) {
      await refused.until(() => refused.refusal !== undefined);
      assertMatch(refused.refusal ?? "", refusal);
    }
    panel.setFault(undefined);
    assertMatch(await outcomeOfPost(panel), /^200 \{/);
    refused.socket.terminate();
  });
}

Deno.test("StandInPanel.close() closes every connection", async () => {
  const panel = startPanel();
  const socket = await dial(panel, "v2").opened();
  panel.close();
  await socket.ended();
  await assertRejects(() => fetch(panel.url), TypeError);
});

withPanel.test("StandInPanel.open() takes the next free port when one is taken, and asks for a probe of each kind", (first) => {
  using second = startPanel();
  second.close();
  const port = Number(new URL(first.url).port);
  const panel = new StandInPanel();
  panel.open(port);
  using _closes = { [Symbol.dispose]: () => panel.close() };
  const here = panel.url.replace("http://", "");
  assert(Number(here.split(":")[1]) > port);
  assertEquals(panel.state.tasks.map((task) => [task.type, task.target, task.interval]), [
    ["icmp", "127.0.0.1", 2],
    ["tcp", here, 3],
    ["http", `http://${here}/`, 5],
  ]);
  assertThrows(() => new StandInPanel().open(70_000), Error, "Cannot listen on 127.0.0.1");
});
