import { assertEquals, assertGreater } from "@std/assert";
import { WebSocket } from "ws";
import { parseFault } from "../../lib/demo/fault.ts";
import { type StandInPanel, startStandInPanel } from "../../lib/demo/stand_in_panel.ts";
import { deliverRpc, dial, postRpc } from "./fake_agent.ts";
import { call, deliver, REPORT } from "./fake_reporter.ts";

async function withPanel(use: (panel: StandInPanel) => Promise<void>): Promise<void> {
  const panel = await startStandInPanel({ port: 0 });
  try {
    await use(panel);
  } finally {
    await panel.close();
  }
}

for (const stands of [true, false]) {
  const when = stands ? "that stands" : "that is opened";

  Deno.test(`playOnSocket() sends 64 MiB over a WebSocket ${when}`, () =>
    withPanel(async (panel) => {
      if (!stands) await panel.setFault({ name: "huge-message" });
      const socket = await dial(panel, "v2").opened();
      if (stands) await panel.setFault({ name: "huge-message" });
      await socket.until(() => socket.received.length === 1);
      assertEquals(socket.received[0]?.length, 64 * 1024 * 1024);
      socket.socket.terminate();
    }));
}

Deno.test("playOnSocket() sends rubbish of every kind, and a text that is none at the end", () =>
  withPanel(async (panel) => {
    const socket = await dial(panel, "v2").opened();
    await panel.setFault({ name: "garbage-message" });
    assertEquals(await socket.ended(), 1006);
    assertGreater(socket.received.length, 30);
    assertGreater(socket.received.filter((one) => typeof one !== "string").length, 2);
  }));

Deno.test("playOnSocket() sends lists within each other", () =>
  withPanel(async (panel) => {
    const socket = await dial(panel, "v2").opened();
    await panel.setFault({ name: "deep-message" });
    await socket.until(() => socket.received.length === 1);
    assertEquals(socket.received[0]?.length, 200_000);
    socket.socket.terminate();
  }));

Deno.test("playOnSocket() sends a packed message that nobody asked for", () =>
  withPanel(async (panel) => {
    const socket = await dial(panel, "v2").opened();
    await panel.setFault({ name: "bomb" });
    assertEquals(await socket.ended(), 1006, "a client refuses the bit");
    assertEquals(socket.received, []);
  }));

Deno.test("playOnSocket() sends half a GiB to who takes packed messages", () =>
  withPanel(async (panel) => {
    const url = `${panel.url.replace("http", "ws")}/api/clients/v2/rpc?token=${panel.token}`;
    const socket = new WebSocket(url, { perMessageDeflate: true, maxPayload: 1024 * 1024 });
    const opened = Promise.withResolvers<void>();
    const failed = Promise.withResolvers<string>();
    socket.on("open", () => opened.resolve());
    socket.on("error", (error) => failed.resolve(error.message));
    await opened.promise;
    await panel.setFault({ name: "bomb" });
    assertEquals(await failed.promise, "Max payload size exceeded");
    const closed = Promise.withResolvers<void>();
    socket.on("close", () => closed.resolve());
    socket.terminate();
    await closed.promise;
  }));

Deno.test('setFault("bomb") answers a call with zeros that unpack to 512 MiB', () =>
  withPanel(async (panel) => {
    await panel.setFault({ name: "bomb" });
    const response = await call(panel, "report", { method: "POST", body: "{}" });
    let bytes = 0;
    for await (const chunk of response.body ?? []) bytes += chunk.length;
    assertEquals(bytes, 512 * 1024 * 1024);
  }));

for (const name of ["garbage-message", "deep-message", "huge-message"]) {
  Deno.test(`setFault("${name}") strikes answers too, and ends`, () =>
    withPanel(async (panel) => {
      await panel.setFault(parseFault(name));
      const response = await call(panel, "report", { method: "POST", body: "{}" });
      assertEquals(response.status, 200);
      await response.body?.cancel();
      await panel.setFault(undefined);
      await deliver(panel, "report", REPORT);
    }));
}

Deno.test('setFault("ping-flood") orders 10,000 probes, by events no more than fit', () =>
  withPanel(async (panel) => {
    await panel.setFault({ name: "ping-flood" });
    const socket = await dial(panel, "v2").opened();
    await socket.until(() => socket.received.length === 10_000);
    const last = await socket.message(9_998);
    assertEquals(last.params, {
      ping_task_id: 9_999,
      ping_type: "tcp",
      ping_target: "127.0.0.1:1",
    });
    socket.socket.terminate();
    await panel.state.until(({ sockets }) => sockets.present === undefined);
    await panel.setFault(undefined);
    await deliverRpc(panel, "agent.report", { report: REPORT });
    await deliverRpc(panel, "agent.report", { report: REPORT });
    await panel.setFault({ name: "ping-flood" });
    await panel.state.until(({ counts }) => counts.reports === 2);
    const [status, answer] = await postRpc(
      panel,
      '{"jsonrpc":"2.0","method":"agent.pull","id":1}',
    );
    assertEquals([status, answer.result.events.length], [200, 128]);
  }));

Deno.test('setFault("ping-black-hole") orders probes of a server that says nothing', () =>
  withPanel(async (panel) => {
    await panel.setFault({ name: "ping-black-hole" });
    const socket = await dial(panel, "v2").opened();
    await socket.until(() => socket.received.length === 10_000);
    const url = new URL((await socket.message(0)).params.ping_target);
    const connection = await Deno.connect({ hostname: "127.0.0.1", port: Number(url.port) });
    connection.close();
    socket.socket.terminate();
  }));

for (
  const [name, count, command] of [
    ["exec-flood", 100, /^echo \d+; sleep 1$/],
    ["exec-huge", 1, /^head -c 200000000 /],
    ["exec-endless", 1, /^yes$/],
  ] as const
) {
  Deno.test(`setFault("${name}") orders ${count} commands, over v1 too`, () =>
    withPanel(async (panel) => {
      await panel.setFault({ name });
      const socket = await dial(panel, "v1").opened();
      socket.socket.send(JSON.stringify(REPORT));
      await socket.until(() => socket.received.length === count);
      const { message, command: ordered } = await socket.message(count - 1);
      assertEquals([message, command.test(ordered)], ["exec", true]);
      socket.socket.terminate();
    }));
}
