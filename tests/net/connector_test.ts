import { assertEquals } from "@std/assert";
import { Connector } from "../../lib/net/connector.ts";
import { fakeConnect, realConnect } from "./fake_connect.ts";

const { signal } = new AbortController();

/** The timer that the kernel runs for a connection of this machine: 2 is that of keep-alive. */
function timerOf({ port }: { port: number }): string | undefined {
  const local = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const rows = Deno.readTextFileSync("/proc/net/tcp").split("\n").map((row) =>
    row.trim().split(/\s+/)
  );
  return rows.find(([, address]) => address?.endsWith(local))?.[5]?.split(":")[0];
}

Deno.test({
  name: "Connector.connect() has the kernel look after an idle connection",
  ignore: Deno.build.os !== "linux",
  async fn() {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const endpoint = { host: "127.0.0.1", port: listener.addr.port };
    using connection = await new Connector({}).connect(endpoint, { signal });
    using _accepted = await listener.accept();
    assertEquals(timerOf(connection.localAddr), "02");
    using plain = await Deno.connect({ port: endpoint.port });
    assertEquals(timerOf(plain.localAddr), "00", "by default it does not");
  },
});

Deno.test("Connector.connect() has small writes sent at once", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const noDelay: (boolean | undefined)[] = [];
  using _ = fakeConnect(async (options) => {
    const connection = await realConnect(options);
    connection.setNoDelay = (on) => void noDelay.push(on);
    return connection;
  });
  const endpoint = { host: "127.0.0.1", port: listener.addr.port };
  using _connection = await new Connector({}).connect(endpoint, { signal });
  assertEquals(noDelay, [true]);
});
