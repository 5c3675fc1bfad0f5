import { assertEquals } from "@std/assert";
import { checkNetwork } from "../../lib/cli/doctor_network.ts";
import { connectAdvice } from "../../lib/cli/doctor_connect_advice.ts";
import { type AskRoute, detourOf, routeFinding } from "../../lib/cli/doctor_route.ts";
import { wayTo } from "../../lib/cli/doctor_way.ts";
import type { Refusal, Route } from "../../lib/host/routes.ts";
import { replaced, withTexts } from "../replaced.ts";
import { configOf } from "./fake_context.ts";

const DIRECT: Route = {
  ...{ device: "eth0", hasCarrier: true, gateway: undefined, network: "192.0.2.0/24" },
  ...{ isSilent: true, source: "192.0.2.5" },
};
const BY_GATEWAY: Route = { ...DIRECT, gateway: "192.0.2.1", network: undefined };
const NONE: Refusal = { kind: "none", route: undefined, hasRules: false };

/** Asks a kernel that knows one way to an address, and another one to those far away. */
function kernel(address: string, way: Route | Refusal | undefined, far = BY_GATEWAY): AskRoute {
  return (asked) => asked === address ? way : far;
}

Deno.test("routeFinding() says what is seen of the first step, and the looks that it leaves", () => {
  const address = "192.0.2.9";
  const table: [way: Route | Refusal | undefined, text: string | undefined, looks: string[]][] = [
    [undefined, undefined, []],
    [{ ...BY_GATEWAY, isSilent: false }, undefined, []],
    [{ ...DIRECT, isSilent: false }, undefined, []],
    [BY_GATEWAY, "the gateway 192.0.2.1 of eth0 does not answer", [
      "see whether 192.0.2.1 is the gateway",
      "start the gateway, or connect eth0",
    ]],
    [
      { ...BY_GATEWAY, hasCarrier: false },
      "the gateway 192.0.2.1 of eth0 does not answer: eth0 has no carrier",
      ["eth0: check its cable"],
    ],
    [DIRECT, "192.0.2.9 is in the network 192.0.2.0/24 of eth0, where no machine answers for it", [
      "see whether it is the panel's",
      "start that machine",
      "see whether the network of eth0 is so large",
    ]],
    [
      { ...DIRECT, device: "docker0", hasCarrier: false },
      "192.0.2.9 is in the network 192.0.2.0/24 of docker0, where no machine answers for it",
      [
        "see whether it is the panel's",
        "if it is elsewhere, give docker0 another network",
        "start that machine",
      ],
    ],
    [NONE, "no route of this machine leads to 192.0.2.9", [
      "if its address is by DHCP",
      "else give it a gateway: ip route",
    ]],
    [
      { ...NONE, hasRules: true },
      "no route of this machine leads to 192.0.2.9",
      ["see whether a rule sends it", "if its address is by DHCP", "else give it a gateway"],
    ],
    [
      { ...NONE, kind: "blackhole", route: "blackhole 192.0.2.0/24" },
      'the route "blackhole 192.0.2.0/24" of this machine refuses 192.0.2.9',
      ["see who has made it, such as a VPN, or remove it: ip route del blackhole 192.0.2.0/24"],
    ],
    [
      { ...NONE, kind: "prohibit" },
      "a rule of this machine refuses 192.0.2.9 (prohibit)",
      ["see who has made it, such as a VPN, or remove it: ip rule"],
    ],
  ];
  for (const [way, text, looks] of table) {
    const askRoute = kernel(address, way);
    const found = routeFinding(address, { askRoute, isPanels: "see whether it is the panel's" });
    assertEquals(found?.text, text);
    const starts = (found?.advice ?? []).map((line, at) => line.slice(0, looks[at]?.length));
    assertEquals(starts, looks, text);
  }
  const ipv6 = routeFinding("2001:db8::9", { askRoute: () => NONE });
  assertEquals(ipv6?.advice.map((line) => line.slice(0, 40)), [
    "if a router is to announce itself, see w",
    "else give it a gateway: ip -6 route add ",
  ]);
});

Deno.test("detourOf() names an interface beside that of the default route", () => {
  const route = (device: string) => ({
    ...DIRECT,
    ...{ device, network: undefined, isSilent: false },
  });
  const byStatic = { ...BY_GATEWAY, gateway: "192.0.2.9", network: "198.51.100.0/24" };
  const leftOver = detourOf("198.51.100.7", kernel("198.51.100.7", byStatic));
  assertEquals(
    leftOver?.text,
    "it is sent to 192.0.2.9 by the route 198.51.100.0/24, and not to 192.0.2.1 of the default route",
  );
  assertEquals(leftOver?.advice[0]?.endsWith("ip route del 198.51.100.0/24 via 192.0.2.9"), true);
  for (const way of [BY_GATEWAY, DIRECT, { ...byStatic, gateway: "192.0.2.1" }]) {
    assertEquals(detourOf("198.51.100.7", kernel("198.51.100.7", way), []), undefined);
  }
  const gateways = ["eth0", "eth1"].map((device) => ({ device, gateway: "192.0.2.9" }));
  const second = detourOf("198.51.100.7", () => BY_GATEWAY, gateways);
  assertEquals(second?.text, "it is sent by eth0, beside whose default route there is one by eth1");
  assertEquals(second?.advice[0]?.endsWith("default via 192.0.2.9 dev eth1 metric 1"), true);
  const of = (device: string) =>
    detourOf("192.0.2.7", (address) => route(address === "192.0.2.7" ? device : "eth0"), []);
  assertEquals([of("eth0"), of("lo")], [undefined, undefined]);
  const byRule = { ...DIRECT, device: "wg0", isSilent: false, table: 51820 };
  const all = detourOf("192.0.2.7", () => byRule);
  assertEquals(
    all?.text,
    "a rule of this machine, as VPNs make them, sends it by wg0 (table 51820)",
  );
  assertEquals(of("wg9")?.text, "it is sent by wg9, and not by eth0 of the default route");
  assertEquals(of("wg9")?.advice[0]?.endsWith("ip -s link show wg9; ip route get 192.0.2.7"), true);
});

Deno.test("connectAdvice() is about the first step where the kernel shows it", () => {
  const way = wayTo(configOf(["doctor", "-e", "http://198.51.100.9", "-t", "x"]), []);
  const finding = { text: "a gateway is silent", advice: ["start it"] };
  assertEquals(connectAdvice("host is unreachable", way, { finding }), ["start it"]);
  assertEquals(connectAdvice("connection refused", way, {}).length, 3);
});

Deno.test("checkNetwork() goes on where the kernel tells no addresses, and names the unit that is why", async () => {
  using _addresses = replaced(Deno, { networkInterfaces: () => [] });
  const counters = "  eth0: 1 2 3\n    lo: 1 2 3\n";
  using _counters = withTexts((path) => path === "/proc/net/dev" ? counters : undefined);
  const way = wayTo(configOf(["doctor", "-e", "http://198.51.100.9", "-t", "x"]), []);
  const of = async (value: string) => {
    const unit = [{ name: "RestrictAddressFamilies", value, file: "/x.conf" }];
    const { signal } = new AbortController();
    const { status, advice } = await checkNetwork({ ...way, unit }, signal);
    return [status, advice?.split(",")[0]];
  };
  assertEquals(await of("AF_INET AF_INET6 AF_UNIX"), [
    "warning",
    "add AF_NETLINK to RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX in /x.conf",
  ]);
  assertEquals(await of("AF_INET AF_NETLINK"), ["skipped", undefined]);
});

Deno.test("checkNetwork() of a machine with the loopback alone asks whether it is a container", async () => {
  using _ = withTexts((path) => path === "/proc/net/dev" ? "    lo: 1 2 3\n" : undefined);
  const way = wayTo(configOf(["doctor", "-e", "http://198.51.100.9", "-t", "x"]), []);
  const { status, causes } = await checkNetwork(way, new AbortController().signal);
  assertEquals([status, causes?.length], ["failed", 2]);
  assertEquals(causes?.[0]?.endsWith("without --network none"), true);
});
