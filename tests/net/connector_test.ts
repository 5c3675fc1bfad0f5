import { assertEquals, assertStringIncludes } from "@std/assert";
import { Connector } from "../../lib/net/connector.ts";
import { SystemResolver } from "../../lib/net/dns.ts";
import { sameLater } from "../cases.ts";
import { FakeTime } from "../fake_time.ts";
import { collectedLog } from "../log/collected_log.ts";
import { startNameServer } from "./fake_name_server.ts";
import { onLinux } from "../only_on.ts";

const { signal } = new AbortController();

/** The timer that the kernel runs for a connection of this machine: 2 is that of keep-alive. */
function timerOf({ localAddr, remoteAddr }: Deno.TcpConn): string | undefined {
  // Another connection of this machine may come from the same port, and one of before be still listed.
  const [local, remote] = [localAddr, remoteAddr].map(({ port }) =>
    port.toString(16).toUpperCase().padStart(4, "0")
  );
  const row = new RegExp(`:${local} \\w+:${remote} 01 \\w+:\\w+ (\\w+):`);
  return row.exec(Deno.readTextFileSync("/proc/net/tcp"))?.[1];
}

onLinux.test("Connector.connect() has the kernel look after an idle connection", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const endpoint = { host: "127.0.0.1", port: listener.addr.port };
  using connection = await new Connector({}).connect(endpoint, { signal });
  using _accepted = await listener.accept();
  assertEquals(timerOf(connection), "02");
  using plain = await Deno.connect({ port: endpoint.port });
  assertEquals(timerOf(plain), "00", "by default it does not");
});

Deno.test("Connector.lookUp() puts IPv4 first where a name server is asked, whose answers are in no order", async () => {
  await using names = await startNameServer({
    "panel.test": { A: ["192.0.2.1", "192.0.2.2"], AAAA: ["2001:db8::1", "2001:db8::2"] },
  });
  const nameServer = { host: "127.0.0.1", port: names.port };
  await sameLater(async (preferFamily?: 6) => {
    const connector = new Connector({ nameServer, preferFamily });
    const addresses = await connector.lookUp("panel.test", { signal });
    return addresses.map((address) => address.includes(":") ? 6 : 4).join(" ");
  }, [[undefined, "4 4 6 6"], [6, "6 6 4 4"]]);
});

Deno.test("Connector.lookUp() says once that a name server let it wait", async () => {
  using time = new FakeTime();
  const lookUp = () =>
    new Promise<string[]>((done) => setTimeout(() => done(["192.0.2.1"]), 5_000));
  const connector = new Connector({}, new SystemResolver({ lookUp, lookUpHosts: lookUp }));
  const log = await collectedLog(async () => {
    for (let n = 0; n < 2; n++) {
      const found = connector.lookUp("panel.test", { signal });
      await time.run(5_000);
      assertEquals(await found, ["192.0.2.1"]);
    }
  });
  assertEquals(log.length, 1);
  assertStringIncludes(log[0] ?? "", "Resolving panel.test took 5 s → see whether the first name");
});
