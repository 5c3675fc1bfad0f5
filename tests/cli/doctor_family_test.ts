import { assertEquals, assertStringIncludes } from "@std/assert";
import { familyFinding, serverFamilyFinding } from "../../lib/cli/doctor_family.ts";
import type { AskRoute } from "../../lib/cli/doctor_route.ts";
import { wayTo } from "../../lib/cli/doctor_way.ts";
import type { Refusal, Route } from "../../lib/host/routes.ts";
import { ipFamily } from "../../lib/parse/ip_address.ts";
import { replaced } from "../replaced.ts";
import { configOf } from "./fake_context.ts";

const OUT: Route = {
  ...{ device: "eth0", hasCarrier: true, gateway: "fe80::1", network: undefined },
  ...{ isSilent: false, source: undefined },
};
const NONE: Refusal = { kind: "none", route: undefined, hasRules: false };

/** The finding for a panel with these addresses, on a machine with those, which has a way out by some families. */
function found(
  endpoint: string,
  addresses: string[],
  own: [name: string, address: string][],
  families: readonly number[],
) {
  const interfaces = own.map(([name, address]) => ({ name, address }));
  using _ = replaced(Deno, {
    networkInterfaces: () => interfaces as Deno.NetworkInterfaceInfo[],
    readTextFileSync: () => "0\n",
  });
  const way = wayTo(configOf(["doctor", "-e", endpoint, "-t", "x"]), []);
  way.addresses = addresses;
  const askRoute: AskRoute = (address) => families.includes(ipFamily(address) ?? 0) ? OUT : NONE;
  return familyFinding(way, askRoute);
}

const [IPV4, IPV6] = ["192.0.2.7", "2001:db8::7"];
const BY_IPV6: [string, string][] = [["eth0", "2001:db8:1::5"], ["eth0", "fe80::5"]];
const BY_IPV4: [string, string][] = [["eth0", "198.51.100.5"], ["eth0", "fe80::5"]];

Deno.test("familyFinding() says that a panel and this machine have no family in common", () => {
  const docker: [string, string] = ["docker0", "172.17.0.1"];
  for (const own of [BY_IPV6, [...BY_IPV6, docker]]) {
    const { text, advice } = found("https://p.example", [IPV4], own, [6]) ?? {};
    assertEquals(
      text,
      "p.example has IPv4 addresses alone, and eth0, by which this machine gets out, has IPv6 addresses alone",
    );
    const words = "give p.example an IPv6 address of its server (AAAA record)";
    assertStringIncludes(advice?.[0] ?? "", words);
    assertStringIncludes(advice?.[1] ?? "", "(DNS64)");
    assertStringIncludes(advice?.[2] ?? "", "HTTPS_PROXY=http://HOST:PORT");
  }
  const opposite = found("http://p.example", [IPV6], BY_IPV4, [4]);
  assertStringIncludes(opposite?.advice[0] ?? "", "an IPv4 address of its server (A record)");
  assertStringIncludes(opposite?.advice.join() ?? "", "accept_ra");
  const literal = found(`http://${IPV4}`, [], BY_IPV6, [6]);
  assertStringIncludes(literal?.text ?? "", "192.0.2.7 is an IPv4 address, and eth0");
  const shown = literal?.advice[0] ?? "";
  assertStringIncludes(shown, "write a name of the panel with an IPv6 address into -e");
});

Deno.test("serverFamilyFinding() says that no name server can be asked by the family of this machine", () => {
  using _ = replaced(Deno, {
    networkInterfaces: () =>
      BY_IPV6.map(([name, address]) => ({ name, address })) as Deno.NetworkInterfaceInfo[],
  });
  const askRoute: AskRoute = (address) => ipFamily(address) === 6 ? OUT : NONE;
  const of = (...servers: string[]) =>
    serverFamilyFinding(servers, { file: "/etc/resolv.conf", askRoute });
  assertEquals(of("8.8.8.8", "1.1.1.1"), {
    text:
      "8.8.8.8, 1.1.1.1 is of IPv4, and eth0, by which this machine gets out, has IPv6 addresses alone",
    advice: [
      "name a server with an IPv6 address in /etc/resolv.conf, such as 2606:4700:4700::1111",
    ],
  });
  assertEquals(of("8.8.8.8", IPV6), undefined);
});

Deno.test("familyFinding() names an address of IPv6 that can't be used", () => {
  const table = [["08", "dadfailed", "another machine"], [
    "40",
    "tentative",
    "wait until",
  ]] as const;
  for (const [flags, state, advice] of table) {
    using _ = replaced(Deno, {
      networkInterfaces: () =>
        [{ name: "eth0", address: "2001:db8:1::5" }] as Deno.NetworkInterfaceInfo[],
      readTextFileSync: () => `20010db8000100000000000000000005 02 40 00 ${flags}     eth0\n`,
    });
    const way = wayTo(configOf(["doctor", "-e", `http://[${IPV6}]`, "-t", "x"]), []);
    const finding = familyFinding(way, () => ({ ...OUT, source: "fe80::5" }));
    assertEquals(finding?.text, `2001:db8:1::5 of eth0 can't be used (${state})`);
    assertStringIncludes(finding?.advice[0] ?? "", advice);
    assertEquals(familyFinding(way, () => ({ ...OUT, source: "2001:db8:1::5" })), undefined);
  }
});

Deno.test("familyFinding() is of no use where either has both, or nothing leads out", () => {
  const table: Parameters<typeof found>[] = [
    ["http://p.example", [IPV4, IPV6], BY_IPV6, [6]],
    // It has an address, and lacks the gateway alone.
    ["http://p.example", [IPV4], [...BY_IPV6, ["eth0", "198.51.100.5"]], [6]],
    ["http://p.example", [IPV4], BY_IPV6, []],
    ["http://p.example", [IPV4], BY_IPV4, [4, 6]],
    ["http://p.example", [], BY_IPV4, [4]],
  ];
  for (const row of table) assertEquals(found(...row), undefined, row.join(" "));
});
