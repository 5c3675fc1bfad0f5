import { assertEquals } from "@std/assert";
import { ConnectionCollector } from "../../lib/metrics/connections.ts";
import { hasOwnNetwork, OWN_NETWORK } from "../own_network.ts";
import { fakeSource } from "./fake_host.ts";
import { onlyIf } from "../only_on.ts";
import { denoOutput } from "../deno_output.ts";

const IPV4 = "sockets: used 290\nTCP: inuse 9 orphan 0 tw 4 alloc 12 mem 3\nUDP: inuse 2 mem 1\n";
const IPV6 = "TCP6: inuse 6\nUDP6: inuse 3\n";

Deno.test("ConnectionCollector.collect() adds both families and TIME_WAIT, and names a protocol that is missing", () => {
  const rows: [ipv4: string, ipv6: string | undefined, number, number, problem?: string][] = [
    [IPV4, IPV6, 19, 5],
    [IPV4, undefined, 13, 2],
    [IPV4, "UDP6: inuse 3\n", 13, 5, "Cannot read sockstat6: no line of TCP"],
    ["TCP: inuse 3 tw 1\n", undefined, 4, 0, "Cannot read sockstat: no line of UDP"],
  ];
  let [ipv4, ipv6]: [string, string | undefined] = ["", ""];
  const connections = new ConnectionCollector(fakeSource(() => ipv4), fakeSource(() => ipv6));
  for (const [text, text6, tcp, udp, problem] of [...rows, ...rows]) {
    [ipv4, ipv6] = [text, text6];
    assertEquals(connections.collect(), { tcp, udp });
    assertEquals(connections.missingPart()?.message, problem);
  }
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
