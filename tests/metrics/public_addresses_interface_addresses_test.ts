import { assertEquals } from "@std/assert";
import type { InterfaceAddress } from "../../lib/host/host.ts";
import { networkFingerprint, publicInterfaceAddress } from "../../lib/metrics/public_addresses.ts";

function addresses(...texts: string[]): InterfaceAddress[] {
  return texts.map((text) => {
    const [name = "", address = ""] = text.split(" ");
    return { name, address, family: address.includes(":") ? "IPv6" : "IPv4" };
  });
}

const MACHINE = addresses(
  ...["lo 127.0.0.1", "lo ::1", "docker0 172.17.0.1", "vmbr0 9.9.9.9", "vmbr0 2620:fe::1"],
  ...["eth0 fe80::1%eth0", "eth0 10.0.0.5", "eth0 fd00::5", "eth0 8.8.8.8"],
);

Deno.test("publicInterfaceAddress() prefers a counted interface's and takes another's when it has none", () => {
  const isCounted = (name: string) => name === "eth0";
  assertEquals(publicInterfaceAddress(MACHINE, "IPv4", { isCounted })?.address, "8.8.8.8");
  assertEquals(publicInterfaceAddress(MACHINE, "IPv6", { isCounted })?.address, "2620:fe::1");
});

Deno.test("publicInterfaceAddress() finds none among private, local and reserved ones", () => {
  const own = addresses("eth0 192.168.1.2", "eth0 100.64.0.9", "eth0 169.254.1.1", "eth0 fd00::1");
  for (const family of ["IPv4", "IPv6"] as const) {
    assertEquals(publicInterfaceAddress(own, family, { isCounted: () => true }), undefined);
  }
});

Deno.test("networkFingerprint() stays the same for another order and for what containers bring", () => {
  const place = networkFingerprint(MACHINE);
  assertEquals(networkFingerprint(MACHINE.toReversed()), place);
  assertEquals(
    networkFingerprint([...MACHINE, ...addresses("veth1 fe80::7", "veth1 169.254.3.4")]),
    place,
  );
});

Deno.test("networkFingerprint() changes with an address, private or public", () => {
  const places = [
    networkFingerprint(MACHINE),
    networkFingerprint([...MACHINE, ...addresses("wlan0 192.168.1.7")]),
    networkFingerprint([...MACHINE, ...addresses("wlan0 2620:fe::7")]),
    networkFingerprint(MACHINE.slice(0, -1)),
  ];
  assertEquals(new Set(places).size, places.length);
});
