import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { panelFault } from "./faults.ts";
import { startTestPanel } from "./test_panel.ts";
import { dial, envelope } from "../test_panel/fake_agent.ts";
import { deliver, REPORT } from "../test_panel/fake_reporter.ts";
import { testsWith } from "../tests_with.ts";

const withPanel = testsWith(() => startTestPanel());

for (const name of ["silence", "mute", "upgrade-hang"] as const) {
  withPanel.test(`answerUpgrade() sends nothing under "${name}"`, async (panel) => {
    await panel.setFault(panelFault(name));
    const socket = dial(panel, "v2");
    await panel.state.until(({ calls }) => calls.length === 1);
    if (name === "mute") {
      await socket.opened();
      socket.socket.ping();
      socket.socket.send(envelope("agent.report", { report: REPORT }, 1));
      await panel.state.until(({ counts }) => counts.socketMessages === 1);
      await deliver(panel, "report", REPORT);
    }
    assertEquals([panel.state.calls[0]?.status], [name === "mute" ? 101 : undefined]);
    assertEquals([socket.received, socket.pongs, socket.ending], [[], 0, undefined]);
    const ended = socket.ended();
    panel.close();
    await ended;
  });
}

withPanel.test('setFault("silence") swallows only the messages that are named', async (panel) => {
  const socket = await dial(panel, "v2").opened();
  await panel.setFault(panelFault("silence", { calls: ["report"] }));
  socket.socket.send(envelope("agent.report", { report: REPORT }, 1));
  socket.socket.send(envelope("agent.none", {}, 2));
  assertEquals((await socket.message(0)).id, 2);
  socket.socket.terminate();
});

withPanel.test("answerUpgrade() refuses a foreign origin and unknown terminals", async (panel) => {
  const terminal = dial(panel, "terminal", "&id=none");
  await terminal.until(() => terminal.refusal !== undefined);
  assertStringIncludes(terminal.refusal ?? "", "404 {");
  const connection = await Deno.connect({ hostname: "127.0.0.1", port: panel.port });
  const lines = [
    `GET /api/clients/v2/rpc?token=${panel.token} HTTP/1.1`,
    `Host: 127.0.0.1:${panel.port}`,
    "Origin: http://evil.example",
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
  ];
  await connection.write(new TextEncoder().encode(`${lines.join("\r\n")}\r\n\r\n`));
  const text = await new Response(connection.readable).text();
  assertStringIncludes(text, "HTTP/1.1 403");
  assert(!text.includes(panel.token));
});
