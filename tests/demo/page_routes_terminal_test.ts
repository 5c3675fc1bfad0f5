import { assertEquals, assertNotEquals, assertStringIncludes } from "@std/assert";
import { WebSocket } from "ws";
import { startTestPanel, type TestPanel } from "../test_panel/test_panel.ts";
import { dial, FakeSocket } from "../test_panel/fake_agent.ts";

async function withPanel(
  use: (panel: TestPanel, key: string) => Promise<void>,
): Promise<void> {
  using panel = await startTestPanel({ remoteControl: true });
  await use(panel, new URL(panel.pageUrl).hash.slice(1));
}

/** Opens the page's WebSocket, as a page of that origin does. */
function open(panel: TestPanel, options: { key: string; origin?: string }): FakeSocket {
  const { key, origin } = options;
  const url = `ws://127.0.0.1:${panel.port}/demo/terminal?key=${key}`;
  return new FakeSocket(url, origin === undefined ? {} : { origin });
}

Deno.test("answerPageTerminal() connects a terminal between the page and the agent", () =>
  withPanel(async (panel, key) => {
    const agent = await dial(panel, "v2").opened();
    await panel.state.until(({ sockets }) => sockets.present === "v2");
    const page = await open(panel, { key, origin: panel.url }).opened();
    const { request_id } = await agent.message(0);
    const shell = await dial(panel, "terminal", `&id=${request_id}`).opened();
    await panel.terminals.get(request_id).until((terminal) => terminal.isConnected);
    page.socket.send(new TextEncoder().encode("{"));
    assertEquals(await shell.message(0), Uint8Array.of(0x7b), "a key, not a message");
    page.socket.send('{"type":"resize","cols":80,"rows":24}');
    assertEquals((await shell.message(1)).cols, 80);
    shell.socket.send(new TextEncoder().encode("prompt"));
    assertEquals(await page.message(0), { type: "session", id: request_id });
    assertEquals(await page.message(1), { type: "connected" });
    assertEquals(await page.message(2), new TextEncoder().encode("prompt"));
    page.socket.terminate();
    assertEquals(await shell.ended(), 1006, "no shell outlives its page");
    agent.socket.terminate();
  }));

Deno.test("answerPageTerminal() resumes a session after a reload, until the user closes it", async () => {
  const panel = await startTestPanel({ remoteControl: true, generation: "1.5" });
  try {
    const key = new URL(panel.pageUrl).hash.slice(1);
    const agent = await dial(panel, "v2").opened();
    await panel.state.until(({ sockets }) => sockets.present === "v2");
    const first = await open(panel, { key, origin: panel.url }).opened();
    const { id } = await first.message(0);
    const terminal = panel.terminals.get(id);
    const before = await dial(panel, "terminal", `&id=${id}`).opened();
    before.socket.send(new TextEncoder().encode("prompt"));
    await terminal.until(({ output }) => output === "prompt");
    first.socket.terminate();
    await terminal.until(({ acceptsDial }) => !acceptsDial);
    const second = await open(panel, { key: `${key}&id=${id}`, origin: panel.url }).opened();
    assertEquals((await second.message(0)).id, id);
    assertEquals(await second.message(1), new TextEncoder().encode("prompt"), "as it was left");
    assertEquals((await agent.message(1)).params, { request_id: id });
    const shell = await dial(panel, "terminal", `&id=${id}`).opened();
    await terminal.until(({ isConnected }) => isConnected);
    second.socket.send('{"type":"close"}');
    assertEquals(await shell.message(0), { type: "close" });
    assertEquals(await second.ended(), 1005);
    const third = await open(panel, { key: `${key}&id=${id}`, origin: panel.url }).opened();
    assertNotEquals((await third.message(0)).id, id, "a new one");
    third.socket.terminate();
    agent.socket.terminate();
  } finally {
    panel.close();
  }
});

Deno.test("answerPageTerminal() ends the page's WebSocket when the agent's ends", () =>
  withPanel(async (panel, key) => {
    const agent = await dial(panel, "v2").opened();
    await panel.state.until(({ sockets }) => sockets.present === "v2");
    const page = await open(panel, { key, origin: panel.url }).opened();
    const { request_id } = await agent.message(0);
    const shell = await dial(panel, "terminal", `&id=${request_id}`).opened();
    shell.socket.terminate();
    assertEquals(await page.ended(), 1005);
    agent.socket.terminate();
  }));

Deno.test("answerPageTerminal() explains that there is no agent", () =>
  withPanel(async (panel, key) => {
    const page = open(panel, { key, origin: panel.url });
    await page.ended();
    assertStringIncludes(String(page.received[0]), "Cannot ask for a terminal");
  }));

Deno.test("answerPageTerminal() accepts only the page with its key", () =>
  withPanel(async (panel, key) => {
    const agent = await dial(panel, "v2").opened();
    const strangers = [
      { key },
      { key, origin: "http://evil.example" },
      { key, origin: "null" },
      { key, origin: `http://localhost:${panel.port}` },
      { key: "", origin: panel.url },
      { key: `${key}0`, origin: panel.url },
      { key: panel.token, origin: panel.url },
    ];
    for (const options of strangers) {
      const page = open(panel, options);
      await page.until(() => page.refusal !== undefined);
      assertStringIncludes(page.refusal ?? "", "403 ", JSON.stringify(options));
    }
    assertEquals(agent.received, []);
    agent.socket.terminate();
  }));

Deno.test("answerPageTerminal() refuses another name of this machine", () =>
  withPanel(async (panel, key) => {
    const refused = Promise.withResolvers<number | undefined>();
    const socket = new WebSocket(`ws://127.0.0.1:${panel.port}/demo/terminal?key=${key}`, {
      headers: { host: "evil.example", origin: "http://evil.example" },
    });
    socket.on("error", () => {});
    socket.on("unexpected-response", (_request, response) => {
      refused.resolve(response.statusCode);
      response.resume();
    });
    assertEquals(await refused.promise, 403);
    const ended = Promise.withResolvers<void>();
    socket.on("close", () => ended.resolve());
    socket.terminate();
    await ended.promise;
  }));

Deno.test("TerminalSession keeps the last MiB of its output", () =>
  withPanel(async (panel) => {
    const agent = await dial(panel, "v2").opened();
    await panel.state.until(({ sockets }) => sockets.present === "v2");
    const terminal = panel.terminals.get(panel.terminals.request());
    const shell = await dial(panel, "terminal", `&id=${terminal.id}`).opened();
    for (let count = 0; count < 5; count++) shell.socket.send(new Uint8Array(300_000).fill(0x2e));
    shell.socket.send(new TextEncoder().encode("end"));
    await terminal.until(({ output }) => output.endsWith("end"));
    assertEquals(terminal.output.length, 1024 * 1024);
    shell.socket.terminate();
    agent.socket.terminate();
  }));
