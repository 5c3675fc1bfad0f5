import { assertEquals } from "@std/assert";
import { connectAdvice } from "../../lib/cli/doctor_network.ts";
import { routeAdvice } from "../../lib/cli/doctor_route.ts";
import { wayTo } from "../../lib/cli/doctor_way.ts";
import { configOf } from "./fake_context.ts";

/** A default route by 192.0.2.1, the link 192.0.2.0/24, and a blackhole for 198.51.100.0/24. */
const ROUTES = `Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT
eth0 00000000 010200C0 0003 0 0 0 00000000 0 0 0
eth0 000200C0 00000000 0001 0 0 0 00FFFFFF 0 0 0
* 006433C6 00000000 0001 0 0 0 00FFFFFF 0 0 0
`;

/** Runs with the kernel's tables of routes and of IPv4 neighbours. */
function withTables<T>(routes: string, neighbours: string, run: () => T): T {
  const { readTextFileSync } = Deno;
  Deno.readTextFileSync = (path) => {
    if (path === "/proc/net/route") return routes;
    if (path === "/proc/net/arp") {
      return `IP address HW type Flags HW address Mask Device\n${neighbours}`;
    }
    throw new Deno.errors.NotFound();
  };
  try {
    return run();
  } finally {
    Deno.readTextFileSync = readTextFileSync;
  }
}

Deno.test("routeAdvice() names a gateway that does not answer, and a route that refuses", () => {
  const silent = "192.0.2.1 0x1 0x0 00:00:00:00:00:00 * eth0\n";
  const answering = "192.0.2.1 0x1 0x2 02:00:00:00:00:01 * eth0\n";
  const table: [address: string, neighbours: string, start: string | undefined][] = [
    ["203.0.113.9", silent, "the gateway 192.0.2.1 of eth0 does not answer"],
    ["203.0.113.9", answering, undefined],
    ["203.0.113.9", "", undefined],
    ["203.0.113.9", silent.replace("eth0", "eth1"), undefined],
    ["192.0.2.9", silent, undefined],
    ["198.51.100.9", answering, "a route of this machine refuses 198.51.100.9"],
    ["2001:db8::1", silent, undefined],
    ["p.example", silent, undefined],
  ];
  for (const [address, neighbours, start] of table) {
    const found = withTables(ROUTES, neighbours, () => routeAdvice(address));
    assertEquals(found?.slice(0, start?.length), start, `${address} ${neighbours}`);
  }
  assertEquals(withTables("", silent, () => routeAdvice("203.0.113.9")), undefined);
});

Deno.test("connectAdvice() says what the route shows, where nothing has answered", () => {
  const way = wayTo(configOf(["doctor", "-e", "http://198.51.100.9", "-t", "x"]), []);
  const of = (message: string) => withTables(ROUTES, "", () => connectAdvice(message, way));
  assertEquals(of("Invalid argument").length, 1);
  assertEquals(of("connection refused").length, 3, "a refusal is an answer");
});
