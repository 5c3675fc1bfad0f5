import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { faults, parseFault } from "../../lib/demo/fault.ts";
import { StandInPanel, startDemo } from "../../lib/demo/stand_in_panel.ts";
import { deliverRpc, dial, envelope, postRpc } from "../test_panel/fake_agent.ts";
import { timed } from "../fake_time.ts";
import { BASIC_INFO, PING_RESULT, REPORT } from "../test_panel/fake_reporter.ts";
import { testsWith } from "../tests_with.ts";

const MIB = 1024 * 1024;

async function openPanel(): Promise<StandInPanel & Disposable> {
  const panel = Object.assign(new StandInPanel(), { [Symbol.dispose]: () => panel.close() });
  await panel.open(0);
  return panel;
}

const withPanel = testsWith(openPanel);

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

withPanel.test("StandInPanel reads compressed messages, up to 8 MiB when they are whole", async (panel) => {
  const post = async (message: string): Promise<number> => {
    const body = new Blob([message]).stream().pipeThrough(new CompressionStream("gzip"));
    const response = await fetch(`${panel.url}/api/clients/v2/rpc?token=${panel.token}`, {
      ...{ method: "POST", body, headers: { "content-encoding": "gzip" } },
    }).catch(() => undefined);
    await response?.body?.cancel();
    return response?.status ?? 0;
  };
  const message = envelope("agent.report", { report: REPORT }, 1);
  assertEquals(await post(message), 200);
  assertEquals(await post(message + " ".repeat(7 * MIB)), 200);
  assertEquals(panel.state.counts.reports, 2);
  const status = await post(message + " ".repeat(8 * MIB));
  assertEquals([status === 200, panel.state.counts.reports], [false, 2]);
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
  const stranger = { url: panel.url, token: "wrong" };
  assertEquals((await postRpc(stranger, envelope("agent.report", { report: REPORT }, 1)))[0], 401);
  assertEquals(panel.state.counts.reports, 0);
});

withPanel.test("StandInPanel serves an agent's WebSocket and its orders", async (panel) => {
  const socket = await dial(panel, "v2").opened();
  socket.socket.send(envelope("agent.report", { report: REPORT }, 1));
  assertEquals((await socket.message(0)).result.status, "success");
  assertEquals(panel.node.connection?.version, "v2");
  panel.node.sendPing({ id: 1, kind: "icmp", target: "::1" });
  assertEquals((await socket.message(1)).method, "agent.ping");
  const ended = Promise.withResolvers<void>();
  const detach = panel.node.detach.bind(panel.node);
  panel.node.detach = (connection) => {
    detach(connection);
    ended.resolve();
  };
  socket.socket.terminate();
  await ended.promise;
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
  const body = envelope("agent.report", { report: REPORT }, 1);
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    const response = await fetch(url, { method: "POST", body, redirect: "manual", signal });
    return `${response.status} ${(await response.text()).slice(0, 20)}`;
  } catch (error) {
    assert(error instanceof Error);
    return error.name;
  }
}

/** The outcome of a report by POST under each fault. */
const outcomes: Readonly<Record<keyof typeof faults, RegExp>> = {
  "websocket-refused": /^200 \{/,
  "token-refused": /^401 \{/,
  "server-error": /^502 <html>/,
  "html": /^200 <!DOCTYPE/,
  "silence": /^TimeoutError$/,
};

for (const [name, outcome] of Object.entries(outcomes)) {
  withPanel.test(`StandInPanel.setFault("${name}") takes effect on calls at once and ends at once`, async (panel) => {
    await panel.setFault(parseFault(name));
    // Nothing tells when an answer never comes.
    const timeoutMs = name === "silence" ? 60 : undefined;
    assertMatch(await outcomeOfPost(panel, timeoutMs), outcome);
    await panel.setFault(undefined);
    assertMatch(await outcomeOfPost(panel), /^200 \{/);
  });
}

withPanel.test("StandInPanel.setFault() closes WebSockets that the fault would prevent, and leaves mute ones", async (panel) => {
  const names = Object.keys(faults);
  for (const name of names) {
    const fault = parseFault(name);
    const socket = await dial(panel, "v2").opened();
    await panel.setFault(fault);
    if (fault.isMute !== true) {
      assertEquals(await socket.ended(), 1006, name);
      await panel.setFault(undefined);
    } else {
      await panel.setFault(undefined);
      socket.socket.send(envelope("agent.report", { report: REPORT }, 1));
      assertEquals((await socket.message(0)).id, 1);
      socket.socket.terminate();
    }
  }
  assertEquals(names.length, 5);
});

Deno.test("StandInPanel.close() closes every connection", async () => {
  const panel = new StandInPanel();
  await panel.open(0);
  panel.close();
  await assertRejects(() => fetch(panel.url), TypeError);
});

timed.test("StandInPanel drops a WebSocket that is silent for 75 s, and takes a ping for data", async (time) => {
  await using panel = await openPanel();
  const socket = await dial(panel, "v2").opened();
  await time.pass(74_000, { stepMs: 2_000 });
  socket.socket.ping();
  await time.until(socket.until(() => socket.pongs === 1), { withinMs: 500, stepMs: 1 });
  await time.pass(74_000, { stepMs: 2_000 });
  assertEquals(socket.ending, undefined);
  await time.until(socket.ended(), { withinMs: 2_000, stepMs: 100 });
  assertEquals(socket.ending, 1006);
});

timed.test("StandInPanel holds a pull for 25 s", async (time) => {
  await using panel = await openPanel();
  const pulled = deliverRpc(panel, "agent.pull", {});
  const tookMs = await time.until(pulled, { withinMs: 60_000, stepMs: 500 });
  assertEquals(await pulled, { events: [] });
  assert(tookMs >= 25_000 && tookMs < 27_000, `${tookMs} ms`);
});

withPanel.test("StandInPanel takes messages of 8 MiB and no longer ones", async (panel) => {
  const message = (bytes: number) => {
    const text = envelope("agent.report", { report: REPORT }, 1);
    return text + " ".repeat(bytes - text.length);
  };
  const post = async (bytes: number) => {
    const url = `${panel.url}/api/clients/v2/rpc?token=${panel.token}`;
    const response = await fetch(url, { method: "POST", body: message(bytes) });
    await response.body?.cancel();
    return response.status;
  };
  assertEquals([await post(8 * MIB), await post(8 * MIB + 1)], [200, 413]);
  const socket = await dial(panel, "v2").opened();
  socket.socket.send(message(8 * MIB));
  assertEquals((await socket.message(0)).id, 1);
  socket.socket.send(message(8 * MIB + 1));
  assertEquals(await socket.ended(), 1009);
});

timed.test("StandInPanel leaves no timer behind when it closes", async (time) => {
  const panel = new StandInPanel();
  await panel.open(0);
  panel.state.tasks = [{ id: 1, name: "", type: "icmp", target: "::1", interval: 1 }];
  const socket = await dial(panel, "v2").opened();
  socket.socket.send(envelope("agent.report", { report: REPORT }, 1));
  await socket.message(0);
  assertEquals(time.timers >= 2, true);
  panel.close();
  await socket.ended();
  assertEquals(time.timers, 0);
});

withPanel.test("StandInPanel compresses messages where an agent offers that, each on its own", async (panel) => {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port: panel.port });
  const lines = [
    `GET /api/clients/v2/rpc?token=${panel.token} HTTP/1.1`,
    `Host: 127.0.0.1:${panel.port}`,
    ...["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"],
    ...[
      "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
      "Sec-WebSocket-Extensions: permessage-deflate",
    ],
  ];
  await connection.write(new TextEncoder().encode(`${lines.join("\r\n")}\r\n\r\n`));
  const buffer = new Uint8Array(1_000);
  const count = await connection.read(buffer) ?? 0;
  const head = new TextDecoder().decode(buffer.subarray(0, count)).toLowerCase();
  const [, extensions = ""] = /sec-websocket-extensions: (.*)\r\n/.exec(head) ?? [];
  assertEquals(extensions.split("; ").sort(), [
    ...["client_no_context_takeover", "permessage-deflate", "server_no_context_takeover"],
  ]);
});

Deno.test("startDemo() asks for one probe of each kind, all of them on loopback", async () => {
  const panel = await startDemo({ port: 0 });
  using _closes = { [Symbol.dispose]: () => panel.close() };
  assertEquals(panel.state.tasks.map((task) => [task.type, task.target, task.interval]), [
    ["icmp", "127.0.0.1", 2],
    ["tcp", `127.0.0.1:${panel.port}`, 3],
    ["http", `http://127.0.0.1:${panel.port}/`, 5],
  ]);
  assertEquals(panel.state.fault, undefined);
});

Deno.test("startDemo() begins with a fault", async () => {
  const panel = await startDemo({ port: 0, fault: parseFault("token-refused") });
  using _closes = { [Symbol.dispose]: () => panel.close() };
  assertEquals(panel.state.fault?.name, "token-refused");
  const response = await fetch(`${panel.url}/api/version`);
  await response.body?.cancel();
  assertEquals(response.status, 401);
});
