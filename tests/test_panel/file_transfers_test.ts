import { assertEquals } from "@std/assert";
import { deliverRpc, dial, envelope, postRpc } from "./fake_agent.ts";
import { realDeadline } from "../real_deadline.ts";
import { startTestPanel } from "./test_panel.ts";

const MAX_BYTES = 128 * 1024 * 1024;

Deno.test("TransferRegistry refuses a part that is empty or over 128 MiB, and another length, unread", async () => {
  using panel = await startTestPanel({ generation: "1.5" });
  const { transfers } = panel.files;
  const status = async (lengthBytes: number, sentBytes: number): Promise<string> => {
    using transfer = transfers.open({ lengthBytes });
    const query = `token=${panel.token}&transfer_token=${transfer.token}`;
    const lines = [
      `POST /api/clients/transfer/${transfer.id}?${query} HTTP/1.1`,
      `Host: 127.0.0.1:${panel.port}`,
      `Content-Length: ${sentBytes}`,
    ];
    using connection = await Deno.connect({ hostname: "127.0.0.1", port: panel.port });
    await connection.write(new TextEncoder().encode(`${lines.join("\r\n")}\r\n\r\n`));
    const buffer = new Uint8Array(1_000);
    const count = await realDeadline(connection.read(buffer)) ?? 0;
    return new TextDecoder().decode(buffer.subarray(0, count)).split(" ")[1] ?? "";
  };
  const table: [lengthBytes: number, sentBytes: number][] = [
    [0, 0],
    [MAX_BYTES + 1, MAX_BYTES + 1],
    [7, 8],
    [7, 6],
  ];
  for (const [lengthBytes, sentBytes] of table) {
    assertEquals(await status(lengthBytes, sentBytes), "400", `${lengthBytes} ${sentBytes}`);
  }
});

Deno.test("TransferRegistry takes a part once, by its own token, while its transfer is open", async () => {
  using panel = await startTestPanel({ generation: "1.5" });
  const seen: number[] = [];
  const ask = async (id: string, token: string, init?: RequestInit) => {
    const query = `token=${panel.token}&transfer_token=${token}`;
    const response = await fetch(`${panel.url}/api/clients/transfer/${id}?${query}`, init);
    seen.push(response.status);
    return await response.text();
  };
  {
    using up = panel.files.transfers.open({ lengthBytes: 4 });
    const post = { method: "POST", body: "0123" };
    for (const token of ["x", up.token, up.token]) await ask(up.id, token, post);
    assertEquals(new TextDecoder().decode(up.bytes), "0123");
  }
  const down = panel.files.transfers.open({ bytes: Uint8Array.of(0x61) });
  assertEquals(await ask(down.id, down.token), "a");
  down[Symbol.dispose]();
  await ask(down.id, down.token);
  assertEquals(seen, [401, 200, 409, 200, 401]);
});

Deno.test("FileManager.receiveResult() records results that the contract forbids", async () => {
  using panel = await startTestPanel({ generation: "1.5" });
  const socket = await dial(panel, "v2").opened();
  const created = panel.files.request("create", { path: "/a" });
  const { params: { request_id } } = await socket.message(0);
  const result = { request_id, ok: true, result: { created: true }, error: "" };
  await deliverRpc(panel, "agent.file.result", result);
  await created;
  assertEquals(panel.state.violations.map(({ text }) => text), [
    "file result of create: size is missing",
  ]);
  const [, again] = await postRpc(panel, envelope("agent.file.result", result, 1));
  assertEquals(again.error.code, -32004, "a second answer");
  socket.socket.terminate();
});
