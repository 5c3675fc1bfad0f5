import { assert, assertEquals, assertRejects } from "@std/assert";
import { probeTcp } from "../../lib/probe/tcp.ts";
import { CLOSED_PORT } from "../free_port.ts";

const signal = new AbortController().signal;

for (const hostname of ["127.0.0.1", "::1"]) {
  Deno.test(`probeTcp() measures a handshake with ${hostname} and closes the connection`, async () => {
    using listener = Deno.listen({ hostname, port: 0 });
    const accepted = listener.accept();
    const ms = await probeTcp([hostname], { port: listener.addr.port, signal });
    assert(ms > 0 && ms < 1000, `${ms}`);
    using connection = await accepted;
    assertEquals(await connection.read(new Uint8Array(1)), null);
  });
}

Deno.test("probeTcp() rejects when the port is closed", async () => {
  const port = CLOSED_PORT;
  const error = await assertRejects(
    () => probeTcp(["127.0.0.1", "::1"], { port, signal }),
    Error,
    `Cannot connect to 127.0.0.1 port ${port}`,
  );
  assert(error.cause instanceof Deno.errors.ConnectionRefused);
});
