import { assertEquals, assertRejects } from "@std/assert";
import { startTestPanel } from "./test_panel.ts";
import { dial, envelope } from "../test_panel/fake_agent.ts";
import { PING_RESULT, REPORT } from "../test_panel/fake_reporter.ts";
import { testsWith } from "../tests_with.ts";

const task = { id: 1, name: "Ping", type: "icmp", target: "127.0.0.1", interval: 3600 };

const withPanel = testsWith(() => startTestPanel({ tasks: [task] }));

withPanel.test("a WebSocket gets orders in the version that the panel assumes for the node", async (panel) => {
  const socket = await dial(panel, "v2").opened();
  await panel.state.until(({ sockets }) => sockets.present === "v2");
  panel.node.sendPing({ id: 1, kind: "icmp", target: "::1" });
  assertEquals((await socket.message(0)).method, "agent.ping");
  socket.socket.send(envelope("agent.report", { report: REPORT }, 1));
  await socket.message(1);
  panel.node.sendPing({ id: 1, kind: "icmp", target: "::1" });
  assertEquals(await socket.message(2), {
    message: "ping",
    ping_task_id: 1,
    ping_type: "icmp",
    ping_target: "::1",
  });
  socket.socket.send(envelope("agent.report", { report: REPORT }, 2));
  await socket.message(3);
  panel.node.sendCommand("id");
  assertEquals((await socket.message(4)).method, "agent.exec");
  const requestId = panel.terminals.request();
  assertEquals(await socket.message(5), { message: "terminal", request_id: requestId });
  socket.socket.terminate();
});

withPanel.test("a second WebSocket closes the first; one of v1 does so by its first message", async (panel) => {
  const first = await dial(panel, "v2").opened();
  const second = await dial(panel, "v2").opened();
  assertEquals(await first.ended(), 1006);
  const third = await dial(panel, "v1").opened();
  assertEquals(second.ending, undefined);
  third.socket.send(JSON.stringify(REPORT));
  assertEquals(await second.ended(), 1006);
  await panel.state.until(({ sockets }) => sockets.closed === 2);
  assertEquals(panel.state.sockets, { present: "v1", opened: 3, closed: 2 });
  third.socket.terminate();
});

withPanel.test("a WebSocket of v1 accepts reports and results, and answers only errors", async (panel) => {
  const socket = await dial(panel, "v1").opened();
  socket.socket.send(JSON.stringify(REPORT));
  socket.socket.send(JSON.stringify({ type: "ping_result", ...PING_RESULT }));
  socket.socket.send(JSON.stringify({ ...REPORT, uptime: 1.5 }));
  socket.socket.send("{");
  socket.socket.send('{"type":"x"}');
  socket.socket.send('{"type":"ping_result","task_id":1.5}');
  const errors = [];
  for (let index = 0; index < 4; index++) errors.push((await socket.message(index)).error);
  assertEquals(errors, [
    "Invalid report format",
    "Invalid JSON",
    "Unknown message type",
    "Invalid ping result format",
  ]);
  assertEquals(panel.state.reports.map((report) => report.by), ["v1 websocket"]);
  assertEquals(panel.state.counts.pingResults, 1);
  const before = panel.state.counts.violations;
  socket.socket.send(envelope("agent.report", { report: REPORT }, 1));
  await panel.state.until(({ counts }) => counts.violations > before);
  assertEquals(panel.state.violations.at(-1)?.text, "v1 websocket: a message of v2");
  socket.socket.terminate();
});

withPanel.test("a WebSocket of v1 closes when the first message is no JSON", async (panel) => {
  const socket = await dial(panel, "v1").opened();
  socket.socket.send("{");
  assertEquals((await socket.message(0)).error, "Invalid JSON");
  assertEquals(await socket.ended(), 1006);
});

withPanel.test("dropConnections() resets connections when it is told to", async (panel) => {
  const { port } = panel;
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  await connection.write(new TextEncoder().encode("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
  const buffer = new Uint8Array(1_000_000);
  await connection.read(buffer);
  panel.dropConnections({ reset: true });
  await assertRejects(async () => {
    while (await connection.read(buffer) !== null);
  }, Deno.errors.ConnectionReset);
});

withPanel.test("the result of a command comes back and is expected once", async (panel) => {
  const socket = await dial(panel, "v2").opened();
  const task_id = panel.node.sendCommand("echo a");
  assertEquals((await socket.message(0)).params, { task_id, command: "echo a" });
  const result = { task_id, result: "a\n", exit_code: 0, finished_at: PING_RESULT.finished_at };
  const post = () =>
    fetch(`${panel.url}/api/clients/task/result?token=${panel.token}`, {
      method: "POST",
      body: JSON.stringify(result),
    });
  assertEquals(await (await post()).json(), {
    message: "Task result updated successfully",
    status: "success",
  });
  assertEquals(panel.state.commandResults[0]?.value.result, "a\n");
  assertEquals(panel.state.violations, []);
  await (await post()).body?.cancel();
  assertEquals(panel.state.violations.length, 1);
  socket.socket.terminate();
});
