import { assertEquals } from "@std/assert";
import { Netlink } from "../../lib/host/netlink.ts";
import { routeTo } from "../../lib/host/routes.ts";
import { hasIpv6, hasOwnNetwork, OWN_NETWORK } from "../own_network.ts";
import { onLinux, onlyIf } from "../only_on.ts";
import { denoOutput } from "../deno_output.ts";

/** Makes routes and rules of all sorts, and prints what is said of the addresses. */
const SORTS = `
  import { Netlink } from "${new URL("../../lib/host/netlink.ts", import.meta.url)}";
  import { routeTo } from "${new URL("../../lib/host/routes.ts", import.meta.url)}";
  const ip = (line) => {
    const { success, stderr } = new Deno.Command("ip", { args: line.split(" ") }).outputSync();
    if (!success) throw new Error(line + ": " + new TextDecoder().decode(stderr));
  };
  const [plan, ...addresses] = Deno.args;
  for (const line of plan.split(";")) ip(line);
  const netlink = new Netlink();
  console.log(JSON.stringify(addresses.map((address) => routeTo(netlink, address) ?? null)));
`;
/** The default routes that have a gateway, after a plan. */
const GATEWAYS = SORTS.replaceAll("routeTo", "gatewaysFor");

const CABLE = [
  ...["link add wan0 type veth peer name far0", "link set far0 up", "link set wan0 up"],
];

/** What is said of these addresses, after these commands of `ip` in a network of its own. */
async function routesAfter(
  lines: readonly string[],
  addresses: readonly string[],
): Promise<unknown[]> {
  const output = await denoOutput("eval --no-check", [SORTS, lines.join(";"), ...addresses], {
    through: OWN_NETWORK,
  });
  return JSON.parse(output);
}

const inOwnNetwork = onlyIf(hasOwnNetwork);

inOwnNetwork.test("routeTo() says by what, and to whom, the kernel would send, or what refuses it", async () => {
  const found = await routesAfter([
    ...CABLE,
    "addr add 198.51.100.7/24 dev wan0",
    "route add default via 198.51.100.1",
    "neigh add 198.51.100.1 dev wan0 nud failed",
    "route add blackhole 10.0.0.0/8",
    "route add blackhole 10.1.0.0/16",
    "route add prohibit 10.1.2.0/24",
    "rule add to 10.4.0.0/16 prohibit",
    "rule add to 10.7.0.0/16 lookup 100",
    // The source is known once the kernel has looked for the way.
    "rule add from 198.51.100.7 to 203.0.113.128/25 lookup 100",
    "route add unreachable default table 100",
    "rule add to 10.8.0.0/16 lookup 51820",
    "route add default dev wan0 table 51820",
  ], [...[
    "203.0.113.5",
    "198.51.100.9",
    "10.1.3.4",
    "10.1.2.3",
    "10.4.0.1",
    "10.7.0.1",
    "203.0.113.200",
    "10.8.0.1",
    "x",
  ]]);
  const ofWan = { device: "wan0", hasCarrier: true, source: "198.51.100.7" };
  assertEquals(found, [
    { ...ofWan, gateway: "198.51.100.1", isSilent: true },
    { ...ofWan, network: "198.51.100.0/24", isSilent: false },
    { kind: "blackhole", route: "blackhole 10.1.0.0/16", hasRules: true },
    { kind: "prohibit", route: "prohibit 10.1.2.0/24", hasRules: true },
    { kind: "prohibit", hasRules: true },
    { kind: "unreachable", route: "unreachable default table 100", hasRules: true },
    { kind: "unreachable", route: "unreachable default table 100", hasRules: true },
    { ...ofWan, isSilent: false, table: 51820 },
    null,
  ]);
});

inOwnNetwork.test("gatewaysFor() lists the default routes of a family, whichever is used", async () => {
  const lines = [
    ...CABLE,
    ...["addr add 198.51.100.7/24 dev wan0", "addr add 203.0.113.7/24 dev far0"],
    ...["route add default via 198.51.100.1 metric 9", "route add default via 203.0.113.1"],
    ...["route add 10.0.0.0/8 via 198.51.100.2", "route add default dev wan0 table 100"],
  ];
  const output = await denoOutput("eval --no-check", [
    GATEWAYS,
    lines.join(";"),
    "1.1.1.1",
    "2001:db8::1",
  ], {
    through: OWN_NETWORK,
  });
  assertEquals(JSON.parse(output), [[
    { device: "far0", gateway: "203.0.113.1" },
    { device: "wan0", gateway: "198.51.100.1" },
  ], []]);
});

const withIpv6 = onlyIf(hasOwnNetwork && hasIpv6);

withIpv6.test("routeTo() says the same of IPv6, and that nothing leads there", async () => {
  const found = await routesAfter([
    ...CABLE,
    "addr add 2001:db8::1/64 dev wan0 nodad",
    "-6 route add 2001:db8:8::/48 via 2001:db8::99",
    "neigh add 2001:db8::99 dev wan0 nud failed",
    "-6 route add blackhole 2001:db8:1::/48",
  ], ["2001:db8:8::1", "2001:db8:1::1", "2001:db8:9::1", "203.0.113.5"]);
  assertEquals(found, [
    {
      ...{ device: "wan0", hasCarrier: true, gateway: "2001:db8::99", source: "2001:db8::1" },
      ...{ network: "2001:db8:8::/48", isSilent: true },
    },
    { kind: "blackhole", route: "blackhole 2001:db8:1::/48", hasRules: false },
    { kind: "none", hasRules: false },
    { kind: "none", hasRules: false },
  ]);
});

inOwnNetwork.test("routeTo() knows that a device has no carrier", async () => {
  const lines = [
    ...["link add wan0 type veth peer name far0", "link set wan0 up"],
    "addr add 198.51.100.7/24 dev wan0",
  ];
  const [found] = await routesAfter(lines, ["198.51.100.9"]);
  assertEquals(found, {
    ...{ device: "wan0", hasCarrier: false, network: "198.51.100.0/24", isSilent: false },
    source: "198.51.100.7",
  });
});

onLinux.test("routeTo() finds the loopback of this machine", () => {
  const found = routeTo(new Netlink(), "127.0.0.1");
  assertEquals(found !== undefined && "device" in found && found.device, "lo");
});
