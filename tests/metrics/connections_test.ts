import { assertEquals } from "@std/assert";
import { ConnectionCollector } from "../../lib/metrics/connections.ts";
import { hasOwnNetwork, OWN_NETWORK } from "../own_network.ts";
import { fakeSource } from "./fake_host.ts";
import { onlyIf } from "../only_on.ts";
import { denoOutput } from "../deno_output.ts";

const IPV4 = "sockets: used 290\nTCP: inuse 9 orphan 0 tw 4 alloc 12 mem 3\nUDP: inuse 2 mem 1\n";
const IPV6 = "TCP6: inuse 6\nUDP6: inuse 3\n";
const none = fakeSource(() => undefined);

Deno.test("ConnectionCollector.collect() adds both families and TIME_WAIT", () => {
  const connections = new ConnectionCollector(fakeSource(() => IPV4), fakeSource(() => IPV6));
  assertEquals(connections.collect(), { tcp: 19, udp: 5 });
});

Deno.test("ConnectionCollector.collect() counts IPv4 only on a machine without IPv6", () => {
  assertEquals(new ConnectionCollector(fakeSource(() => IPV4), none).collect(), {
    tcp: 13,
    udp: 2,
  });
});

Deno.test("ConnectionCollector.collect() counts the rest when a protocol is missing, and names it", () => {
  const ipv6 = { text: "UDP6: inuse 3\n" };
  const connections = new ConnectionCollector(fakeSource(() => IPV4), fakeSource(() => ipv6.text));
  assertEquals(connections.collect(), { tcp: 13, udp: 5 });
  assertEquals(connections.missingPart()?.message, "Cannot read sockstat6: no line of TCP");
  const old = new ConnectionCollector(fakeSource(() => "TCP: inuse 3 tw 1\n"), none);
  assertEquals(old.collect(), { tcp: 4, udp: 0 });
  assertEquals(old.missingPart()?.message, "Cannot read sockstat: no line of UDP");
  ipv6.text = IPV6;
  assertEquals(connections.collect(), { tcp: 19, udp: 5 });
  assertEquals(connections.missingPart(), undefined);
});

const inOwnNetwork = onlyIf(hasOwnNetwork);

inOwnNetwork.test("ConnectionCollector.collect() sees a socket open and close", async () => {
  const lib = new URL("../../lib", import.meta.url);
  const program = `
      import { LocalHost } from "${lib}/host/local_host.ts";
      import { ConnectionCollector } from "${lib}/metrics/connections.ts";
      const host = new LocalHost();
      const [ipv4, ipv6] = ["", "6"].map((family) => host.open("/proc/net/sockstat" + family));
      const connections = new ConnectionCollector(ipv4, ipv6);
      const before = connections.collect();
      const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      const during = connections.collect();
      listener.close();
      console.log(JSON.stringify([before, during, connections.collect()]));
    `;
  const output = await denoOutput("eval", [program], { through: OWN_NETWORK });
  const none = { tcp: 0, udp: 0 };
  const expected = JSON.stringify([none, { tcp: 1, udp: 0 }, none]);
  assertEquals(output, `${expected}\n`);
});
