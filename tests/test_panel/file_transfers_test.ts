import { assertEquals } from "@std/assert";
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
