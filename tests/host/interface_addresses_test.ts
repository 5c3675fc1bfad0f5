import { assertEquals } from "@std/assert";
import { LocalHost } from "../../lib/host/local_host.ts";
import { hasIpv6, hasOwnNetwork, OWN_NETWORK } from "../own_network.ts";
import { onLinux, onlyIf } from "../only_on.ts";
import { denoOutput } from "../deno_output.ts";

onLinux.test("LocalHost.interfaceAddresses() gives what the runtime does, with the same names", () => {
  const inOrder = (addresses: readonly { name: string; address: string }[]) =>
    addresses.map(({ name, address }) => `${name} ${address}`).toSorted();
  for (;;) {
    const before = inOrder(Deno.networkInterfaces());
    const found = inOrder(new LocalHost().interfaceAddresses());
    // Others may make and remove interfaces of this machine meanwhile.
    if (inOrder(Deno.networkInterfaces()).join() !== before.join()) continue;
    assertEquals(found, before);
    break;
  }
});

/** Makes addresses of all sorts, and prints what is said of those that are not link-local. */
const SORTS = `
  import { LocalHost } from "${new URL("../../lib/host/local_host.ts", import.meta.url)}";
  const ip = (line) => {
    const { success, stderr } = new Deno.Command("ip", { args: line.split(" ") }).outputSync();
    if (!success) throw new Error(line + ": " + new TextDecoder().decode(stderr));
  };
  ip("link add wan0 type veth peer name far0");
  ip("link set far0 up");
  ip("link set wan0 up");
  ip("addr add 198.51.100.7/24 dev wan0");
  ip("addr add 203.0.113.9/32 dev lo");
  ip("addr add 203.0.113.10 peer 203.0.113.11 dev wan0");
  const ipv6 = Deno.args[0] === "ipv6";
  if (ipv6) {
    ip("addr add 2001:db8::1/64 dev wan0 nodad preferred_lft 0");
    ip("addr add 2001:db8::2/64 dev wan0 nodad");
    ip("addr add 2001:db8::3/64 dev wan0");
    ip("addr add 2001:db8:7::4/128 dev lo nodad");
  }
  console.log(JSON.stringify(
    new LocalHost().interfaceAddresses()
      .filter(({ address }) => !address.startsWith("fe80"))
      .map(({ name, address, preference }) => [address, name, preference]),
  ));
`;

const inOwnNetwork = onlyIf(hasOwnNetwork);

inOwnNetwork.test("LocalHost.interfaceAddresses() tells each address's interface, and which ones are of no use", async () => {
  const output = await denoOutput("eval --no-check", [SORTS, hasIpv6 ? "ipv6" : "ipv4"], {
    through: OWN_NETWORK,
  });
  const found: [string, string, string][] = JSON.parse(output);
  assertEquals(found.filter(([address]) => !address.includes(":")), [
    ["127.0.0.1", "lo", "usual"],
    ["203.0.113.9", "lo", "usual"],
    ["198.51.100.7", "wan0", "usual"],
    ["203.0.113.10", "wan0", "usual"],
  ]);
  if (!hasIpv6) return;
  const ipv6 = found.filter(([address]) => address.includes(":")).toSorted();
  assertEquals(ipv6, [
    ["2001:db8:7::4", "lo", "usual"],
    ["2001:db8::1", "wan0", "unusable"],
    ["2001:db8::2", "wan0", "usual"],
    // It is being tried for duplicates, which takes a second or two.
    ["2001:db8::3", "wan0", "unusable"],
    ["::1", "lo", "usual"],
  ]);
});
