import { assertEquals, assertThrows } from "@std/assert";
import { InterfaceAddresses } from "../../lib/host/interface_addresses.ts";
import { LocalHost } from "../../lib/host/local_host.ts";

/** Files of `/proc/net`, some of which may be missing. */
function addressesOf(files: Readonly<Record<string, string>>): InterfaceAddresses {
  return new InterfaceAddresses((name) => ({ read: () => files[name] }));
}

function local(...addresses: readonly string[]): string {
  return `Main:\n${addresses.map((it) => `     |-- ${it}\n        /32 host LOCAL\n`).join("")}`;
}

/** A line of `/proc/net/route`, from the four bytes of an address and of a mask. */
function route(name: string, destination: readonly number[], mask: readonly number[]): string {
  const hexadecimal = (bytes: readonly number[]) =>
    bytes.toReversed().map((byte) => byte.toString(16).padStart(2, "0")).join("").toUpperCase();
  return `${name}\t${hexadecimal(destination)}\t00000000\t0001\t0\t0\t0\t${
    hexadecimal(mask)
  }\t0\t0\t0\n`;
}

const HEAD = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n";

Deno.test("InterfaceAddresses.read() names the interface that the address's network is at", () => {
  const found = addressesOf({
    fib_trie: local("127.0.0.1", "192.0.2.2", "192.0.2.130", "198.51.100.7"),
    route: HEAD + route("wan0", [0, 0, 0, 0], [0, 0, 0, 0]) +
      route("lan0", [192, 0, 2, 0], [255, 255, 255, 0]) +
      route("lan1", [192, 0, 2, 128], [255, 255, 255, 128]),
    if_inet6: "20010db80000000000000000000000a2 02 40 00 80 wan0\n",
  }).read();
  assertEquals(found, [
    { name: "lo", family: "IPv4", address: "127.0.0.1" },
    { name: "lan0", family: "IPv4", address: "192.0.2.2" },
    { name: "lan1", family: "IPv4", address: "192.0.2.130" },
    { name: "wan0", family: "IPv4", address: "198.51.100.7" },
    { name: "wan0", family: "IPv6", address: "2001:db8::a2" },
  ]);
});

Deno.test("InterfaceAddresses.read() does without routes and without IPv6", () => {
  assertEquals(addressesOf({ fib_trie: local("192.0.2.2") }).read(), [
    { name: "", family: "IPv4", address: "192.0.2.2" },
  ]);
  assertEquals(addressesOf({}).read(), undefined);
  assertThrows(() => addressesOf({ fib_trie: "nonsense" }).read(), SyntaxError);
});

Deno.test({
  name: "LocalHost.interfaceAddresses() gives what the runtime does",
  ignore: Deno.build.os !== "linux",
  fn() {
    const inOrder = (addresses: readonly { address: string }[]) =>
      addresses.map(({ address }) => address).toSorted();
    assertEquals(inOrder(new LocalHost().interfaceAddresses()), inOrder(Deno.networkInterfaces()));
  },
});
