import { assertEquals } from "@std/assert";
import { ConnectionCollector } from "../../lib/metrics/connections.ts";
import { fakeSource } from "./fake_host.ts";

const IPV4 = "sockets: used 290\nTCP: inuse 9 orphan 0 tw 4 alloc 12 mem 3\nUDP: inuse 2 mem 1\n";
const IPV6 = "TCP6: inuse 6\nUDP6: inuse 3\n";

Deno.test("ConnectionCollector.collect() adds both families and TIME_WAIT", () => {
  const rows: [ipv4: string, ipv6: string | undefined, number, number][] = [
    [IPV4, IPV6, 19, 5],
    [IPV4, undefined, 13, 2],
  ];
  let [ipv4, ipv6]: [string, string | undefined] = ["", ""];
  const connections = new ConnectionCollector(fakeSource(() => ipv4), fakeSource(() => ipv6));
  for (const [text, text6, tcp, udp] of [...rows, ...rows]) {
    [ipv4, ipv6] = [text, text6];
    assertEquals(connections.collect(), { tcp, udp });
  }
});
