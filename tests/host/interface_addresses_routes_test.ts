import { assertEquals } from "@std/assert";
import { denoOutput } from "../deno_output.ts";
import { onlyIf } from "../only_on.ts";
import { hasIpv6, hasOwnNetwork, OWN_NETWORK } from "../own_network.ts";

const url = (path: string) => JSON.stringify(new URL(`../../lib/${path}`, import.meta.url));

/**
 * Makes routes of all sorts, and prints for each address its scope, and whether the policy of probes admits
 * it with and without routes, and whether this process answers there.
 */
const ROUTED = `
  import { LocalHost } from ${url("host/local_host.ts")};
  import { SystemResolver } from ${url("net/dns.ts")};
  import { ProbePolicy } from ${url("probe/policy.ts")};
  const ip = (line) => {
    const { success, stderr } = new Deno.Command("ip", { args: line.split(" ") }).outputSync();
    if (!success) throw new Error(line + ": " + new TextDecoder().decode(stderr));
  };
  const [plan, ...addresses] = Deno.args;
  for (const line of plan.split(";")) ip(line);
  const host = new LocalHost();
  const { signal } = new AbortController();
  const admits = async (machine, address) => {
    const policy = new ProbePolicy(new SystemResolver(), { machine, allowLocal: false });
    return await policy.admit(address, { signal }).then(() => true, () => false);
  };
  // That of IPv6 takes both.
  const listen = (hostname) => Deno.listen({ hostname, port: 7007 });
  const server = plan.includes(":") ? listen("::") : listen("0.0.0.0");
  const answers = async (hostname) => {
    if (host.routeScope(hostname) !== "local") return false;
    return await Deno.connect({ hostname, port: 7007 }).then(() => true, () => false);
  };
  const found = [];
  for (const address of addresses) {
    const unaware = { interfaceAddresses: () => host.interfaceAddresses() };
    const verdicts = [await admits(host, address), await admits(unaware, address)];
    found.push([host.routeScope(address) ?? null, ...verdicts, await answers(address)]);
  }
  console.log(JSON.stringify(found));
  Deno.exit();
`;

async function routed(lines: readonly string[], addresses: readonly string[]): Promise<unknown> {
  const words = [ROUTED, lines.join(";"), ...addresses];
  return JSON.parse(await denoOutput("eval --no-check", words, { through: OWN_NETWORK }));
}

const CABLE = [
  ...["link add wan0 type veth peer name far0", "link set far0 up", "link set wan0 up"],
];

onlyIf(hasOwnNetwork).test(
  "no probe is admitted to an address that is routed to this machine, which it would reach",
  async () => {
    const found = await routed([
      ...CABLE,
      "addr add 198.51.100.7/24 dev wan0",
      "route add default via 198.51.100.1",
      "route add local 10.66.0.0/24 dev lo",
      "route add broadcast 203.0.113.9 dev wan0",
      "route add blackhole 10.67.0.0/24",
    ], "10.66.0.5 198.51.100.7 203.0.113.9 198.51.100.255 203.0.113.5 10.67.0.1".split(" "));
    assertEquals(found, [
      ["local", false, true, true],
      ["local", false, false, true],
      ["broadcast", false, true, false],
      ["broadcast", false, true, false],
      [null, true, true, false],
      [null, true, true, false],
    ]);
  },
);

onlyIf(hasOwnNetwork && hasIpv6).test(
  "no probe is admitted to an address of IPv6 that is routed to this machine",
  async () => {
    const found = await routed([
      ...CABLE,
      "addr add 2001:db8::1/64 dev wan0 nodad",
      "-6 route add local 2001:db8:66::/64 dev lo",
    ], ["2001:db8:66::5", "2001:db8::9", "2001:db8:9::1"]);
    assertEquals(found, [
      ["local", false, true, true],
      [null, true, true, false],
      [null, true, true, false],
    ]);
  },
);
