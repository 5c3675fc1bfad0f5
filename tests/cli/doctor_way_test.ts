import { assertEquals } from "@std/assert";
import { wayTo } from "../../lib/cli/doctor_way.ts";
import { configOf } from "./fake_context.ts";

const { signal } = new AbortController();

Deno.test("wayTo() connects to the addresses that were found, and resolves no name again", async () => {
  using server = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = server.addr;
  // Nothing listens there, so that a name server can't be asked.
  for (const args of [[], ["--custom-dns", "127.0.0.1:1"]]) {
    const url = `http://panel.invalid:${port}`;
    const way = wayTo(configOf(["doctor", "-e", url, "-t", "x", ...args]), []);
    way.addresses = ["127.0.0.1"];
    const { connection } = await way.dialer.connect(way.url, { signal });
    assertEquals(connection.remoteAddr.port, port);
    connection.close();
  }
});
