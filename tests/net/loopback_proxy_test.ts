import { assertEquals, assertRejects } from "@std/assert";
import { delay } from "@std/async/delay";
import { openLoopbackProxy } from "../../lib/net/loopback_proxy.ts";
import { EchoServer } from "./echo_server.ts";
import { roundTrip } from "./round_trip.ts";

const sanitized = { sanitizeOps: true, sanitizeResources: true };

async function connectTo(server: EchoServer): Promise<Deno.TcpConn> {
  return await Deno.connect({ hostname: "127.0.0.1", port: server.port });
}

Deno.test(
  "openLoopbackProxy() forwards bytes in both directions and ends with its near side",
  sanitized,
  async () => {
    await using server = new EchoServer();
    const { near } = await openLoopbackProxy(await connectTo(server));
    await roundTrip(near);
    near.close();
    while (server.open > 0) await delay(1);
  },
);

Deno.test("openLoopbackProxy() ends when the other side does", sanitized, async () => {
  await using server = new EchoServer();
  const { near, close } = await openLoopbackProxy(await connectTo(server));
  await roundTrip(near, 1);
  server.end();
  assertEquals(await near.read(new Uint8Array(1)).catch(() => null), null);
  near.close();
  close();
});

Deno.test(
  "openLoopbackProxy().close() closes the connection while the near side is in use",
  sanitized,
  async () => {
    await using server = new EchoServer();
    const connection = await connectTo(server);
    const { near, close } = await openLoopbackProxy(connection);
    close();
    close();
    while (server.open > 0) await delay(1);
    await assertRejects(() => connection.read(new Uint8Array(1)), Error);
    near.close();
  },
);
