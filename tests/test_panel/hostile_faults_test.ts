import { hostileTaskList } from "./hostile_faults.ts";
import { assert, assertArrayIncludes, assertEquals, assertGreater, assertLess } from "@std/assert";
import { WebSocket } from "ws";
import { panelFault } from "./faults.ts";
import { startTestPanel } from "./test_panel.ts";
import { dial } from "./fake_agent.ts";
import { call, deliver, REPORT } from "./fake_reporter.ts";
import { testsWith } from "../tests_with.ts";

const withPanel = testsWith(() => startTestPanel());

for (const isOpen of [true, false]) {
  const when = isOpen ? "that is open" : "that opens";

  withPanel.test(`panelFault("huge-message") sends 64 MiB over a WebSocket ${when}`, async (panel) => {
    if (!isOpen) await panel.setFault(panelFault("huge-message"));
    const socket = await dial(panel, "v2").opened();
    if (isOpen) await panel.setFault(panelFault("huge-message"));
    await socket.until(() => socket.received.length === 1);
    assertEquals(socket.received[0]?.length, 64 * 1024 * 1024);
    socket.socket.terminate();
  });
}

withPanel.test('panelFault("garbage-message") sends noise of every kind, and invalid UTF-8 at the end', async (panel) => {
  const socket = await dial(panel, "v2").opened();
  await panel.setFault(panelFault("garbage-message"));
  assertEquals(await socket.ended(), 1006);
  assertGreater(socket.received.length, 30);
  assertGreater(socket.received.filter((one) => typeof one !== "string").length, 2);
});

withPanel.test('panelFault("deep-message") sends nested lists', async (panel) => {
  const socket = await dial(panel, "v2").opened();
  await panel.setFault(panelFault("deep-message"));
  await socket.until(() => socket.received.length === 1);
  assertEquals(socket.received[0]?.length, 200_000);
  socket.socket.terminate();
});

withPanel.test('panelFault("bomb") sends a compressed message that was not negotiated', async (panel) => {
  const socket = await dial(panel, "v2").opened();
  await panel.setFault(panelFault("bomb"));
  assertEquals(await socket.ended(), 1006, "a client refuses the bit");
  assertEquals(socket.received, []);
});

withPanel.test('panelFault("bomb") sends half a GiB to a client that negotiated compression', async (panel) => {
  const url = `${panel.url.replace("http", "ws")}/api/clients/v2/rpc?token=${panel.token}`;
  const socket = new WebSocket(url, { perMessageDeflate: true, maxPayload: 1024 * 1024 });
  const opened = Promise.withResolvers<void>();
  const failed = Promise.withResolvers<string>();
  socket.on("open", () => opened.resolve());
  socket.on("error", (error) => failed.resolve(error.message));
  await opened.promise;
  await panel.setFault(panelFault("bomb"));
  assertEquals(await failed.promise, "Max payload size exceeded");
  const closed = Promise.withResolvers<void>();
  socket.on("close", () => closed.resolve());
  socket.terminate();
  await closed.promise;
});

withPanel.test('panelFault("bomb") answers a call with half a MiB that decompresses to more than anyone should read', async (panel) => {
  await panel.setFault(panelFault("bomb"));
  const response = await call(panel, "report", { method: "POST", body: "{}" });
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > 64 * 1024 * 1024) break;
  }
  assertGreater(bytes, 64 * 1024 * 1024);
});

for (const name of ["garbage-message", "deep-message", "huge-message"] as const) {
  withPanel.test(`panelFault("${name}") affects answers too, until it is ended`, async (panel) => {
    await panel.setFault(panelFault(name));
    const response = await call(panel, "report", { method: "POST", body: "{}" });
    assertEquals(response.status, 200);
    await response.body?.cancel();
    await panel.setFault(undefined);
    await deliver(panel, "report", REPORT);
  });
}

withPanel.test('panelFault("ping-flood") orders 10,000 probes', async (panel) => {
  await panel.setFault(panelFault("ping-flood"));
  const socket = await dial(panel, "v2").opened();
  await socket.until(() => socket.received.length === 10_000);
  socket.socket.terminate();
});

withPanel.test('panelFault("ping-black-hole") orders probes of a silent server', async (panel) => {
  await panel.setFault(panelFault("ping-black-hole"));
  const socket = await dial(panel, "v2").opened();
  await socket.until(() => socket.received.length === 10_000);
  const url = new URL((await socket.message(0)).params.ping_target);
  const connection = await Deno.connect({ hostname: "127.0.0.1", port: Number(url.port) });
  connection.close();
  socket.socket.terminate();
});

Deno.test("hostileTaskList() holds 10,000 tasks in less than 1 MiB", () => {
  const text = hostileTaskList();
  assertLess(new TextEncoder().encode(text).length, 1024 * 1024);
  const list = JSON.parse(text);
  assert(Array.isArray(list));
  const tasks = list.slice(-10_000);
  assert(tasks.every((task) => typeof task.id === "number" && typeof task.target === "string"));
  assertEquals(new Set(tasks.map((task) => task.id)).size, 9_000);
  assertArrayIncludes(tasks.map((task) => task.target), ["-f", "127.0.0.1\n-f", "::1%lo"]);
  assertArrayIncludes(tasks.map((task) => task.interval), [0, -1, 1]);
  assertArrayIncludes(list, [null, 7, {}]);
});
