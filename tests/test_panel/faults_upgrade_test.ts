import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { type FaultName, panelFault } from "./faults.ts";
import { startTestPanel, type TestPanel } from "./test_panel.ts";
import { deliverRpc, dial, envelope } from "../test_panel/fake_agent.ts";
import { deliver, REPORT } from "../test_panel/fake_reporter.ts";

async function withPanel(use: (panel: TestPanel) => Promise<void>): Promise<void> {
  using panel = await startTestPanel();
  await use(panel);
}

const refusals: [name: FaultName, answer: RegExp, postWorks: boolean][] = [
  ["status-500", /^500 $/, false],
  ["upgrade-400", /^400 </, true],
  ["upgrade-404", /^404 </, true],
  ["upgrade-405", /^405 </, true],
  ["upgrade-429", /^429 </, true],
  ["upgrade-502", /^502 </, true],
  ["upgrade-520", /^520 </, true],
  ["upgrade-html", /^200 <!DOCTYPE/, true],
  ["upgrade-302", /^302 $/, true],
];

for (const [name, answer, postWorks] of refusals) {
  Deno.test(`answerUpgrade() refuses WebSockets under "${name}" and closes open ones`, () =>
    withPanel(async (panel) => {
      const openSocket = await dial(panel, "v2").opened();
      await panel.setFault(panelFault(name));
      assertEquals(await openSocket.ended(), 1006);
      const socket = dial(panel, "v2");
      await socket.until(() => socket.refusal !== undefined);
      assertMatch(socket.refusal ?? "", answer);
      if (postWorks) await deliverRpc(panel, "agent.report", { report: REPORT });
      await panel.setFault(undefined);
      (await dial(panel, "v2").opened()).socket.terminate();
    }));
}

for (const name of ["close", "reset", "drop-mid-frame"] as const) {
  Deno.test(`answerUpgrade() closes WebSockets under "${name}"`, () =>
    withPanel(async (panel) => {
      const openSocket = await dial(panel, "v2").opened();
      await panel.setFault(panelFault(name));
      assertEquals(await openSocket.ended(), 1006);
      assertEquals(openSocket.received, []);
      assertEquals(await dial(panel, "v2").ended(), 1006);
      await panel.setFault(undefined);
      (await dial(panel, "v1").opened()).socket.terminate();
    }));
}

for (const name of ["hang", "mute", "upgrade-hang"] as const) {
  Deno.test(`answerUpgrade() sends nothing under "${name}"`, () =>
    withPanel(async (panel) => {
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
    }));
}

Deno.test('setFault("hang") swallows only the messages that are named', () =>
  withPanel(async (panel) => {
    const socket = await dial(panel, "v2").opened();
    await panel.setFault(panelFault("hang", { calls: ["report"] }));
    socket.socket.send(envelope("agent.report", { report: REPORT }, 1));
    socket.socket.send(envelope("agent.none", {}, 2));
    assertEquals((await socket.message(0)).id, 2);
    socket.socket.terminate();
  }));

Deno.test("answerUpgrade() refuses a foreign origin and unknown terminals", () =>
  withPanel(async (panel) => {
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
  }));
