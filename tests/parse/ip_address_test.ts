import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { isIP } from "node:net";
import {
  addressBytes,
  addressScope,
  ipFamily,
  ipv4Within,
  isLoopbackHost,
  isPublicAddress,
  lastOfNetwork,
} from "../../lib/parse/ip_address.ts";
import { cases, same } from "../cases.ts";

Deno.test("ipFamily() returns the family of literals, and undefined for other text", () => {
  const ipv6 = ":: ::1 2606::1 1:2:3:4:5:6:7:8 1:: FE80::A ::ffff:1.2.3.4 1:2:3:4:5:6:1.2.3.4 " +
    "1:2:3:4:5:6:7::";
  for (const text of "0.0.0.0 1.2.3.4 255.255.255.255".split(" ")) assertEquals(ipFamily(text), 4);
  for (const text of ipv6.split(" ")) assertEquals(ipFamily(text), 6, text);
  const others = ". : ::: 1.2.3 1.2.3.4.5 01.2.3.4 256.1.1.1 1e1.1.1.1 0x1.1.1.1 +1.2.3.4 " +
    "1.2.3.4:80 [::1] ::1/64 1::2::3 1:2:3:4:5:6:7 1:2:3:4:5:6:7:8:9 12345:: ::g 1.2.3.4:: " +
    "::1.2.3.4:1 :1:: 1::2: ١.1.1.1 1:2:3:4:5:6:7:1.2.3.4 1::2:3:4:5:6:7:8 host fe80::1%eth0";
  for (const text of [...others.split(" "), "", "1.2.3.4 ", "\n::1", "::1\n"]) {
    assertEquals(ipFamily(text), undefined, JSON.stringify(text));
  }
  fc.assert(fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
    assertEquals<number | undefined>(ipFamily(text), isIP(text));
  }));
});

/** Addresses of each range, its ends, and its neighbours. */
const SCOPES = cases(`
  public → 1.1.1.1 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 172.15.0.1 172.32.0.1
    → 192.0.1.1 198.20.0.1 203.0.112.1 223.255.255.255 2606:4700:4700::1111 2400:3200::1
    → 2001:200::1 3ffe::1 3fff:1000:: 1.0.0.0 126.255.255.255 128.0.0.0 169.253.255.255
    → 169.255.0.0 192.167.255.255 192.169.0.0 192.0.3.1 192.1.0.1 192.88.98.1 192.88.100.1
    → 192.89.99.1 198.17.255.255 198.51.99.1 198.51.101.1 198.52.100.1 203.0.114.1
    → 203.1.113.1 2000::1 2001:db7::1 2001:db9::1 2003::1 3ffe:ffff::1
  private → 10.0.0.1 172.16.0.1 172.31.255.255 192.168.0.1 100.64.0.1 fd00::1 fc00:: fdff::
    → fec0::1 10.255.255.255 172.16.0.0 192.168.0.0 192.168.255.255 100.64.0.0
    → 100.127.255.255 feff::1
  link-local → 169.254.1.1 fe80::1 febf::1 169.254.0.0 169.254.255.255 fe80::
    → fe8f::1
  loopback → 127.0.0.1 127.255.0.1 ::1
  unspecified → 0.0.0.0 0.1.2.3 ::
  multicast → 224.0.0.1 239.255.255.255 ff00::1 ff02::1
  broadcast → 255.255.255.255
  reserved → 192.0.2.1 198.18.0.1 198.51.100.7 203.0.113.9 255.255.255.254 ::ffff:8.8.8.8
    → 64:ff9b::1 2001:db8::1 2001::1 2002:808:808::1 3fff::1 4000::1 192.0.0.8 192.0.0.255
    → 192.88.99.1 198.19.255.255 240.0.0.1 1fff::1 2001:1ff::1 3fff:fff::1 fbff::1 fe00::1
    → fe7f::1 ::2 1::1`.replaceAll(/\n {4}→/g, ""));

Deno.test("addressScope() knows the special ranges and their bounds, and never throws", () => {
  for (const [scope, texts] of SCOPES) {
    for (const text of texts.split(" ")) {
      assertEquals<string | undefined>(addressScope(text), scope, text);
      assertEquals(isPublicAddress(text), scope === "public");
    }
  }
  fc.assert(fc.property(fc.string(), (text) => {
    assertEquals(addressScope(text) === undefined, ipFamily(text) === undefined);
  }));
});

Deno.test("addressBytes() gives an address's bytes", () => {
  assertEquals(addressBytes("192.0.2.1"), [192, 0, 2, 1]);
  assertEquals(addressBytes("2001:db8::1:203"), [32, 1, 13, 184, ...Array(9).fill(0), 1, 2, 3]);
  assertEquals(addressBytes("::ffff:192.0.2.1"), [...Array(10).fill(0), 255, 255, 192, 0, 2, 1]);
  for (const text of ["", "192.0.2", "fe80::1%eth0", "[::1]", "host"]) {
    assertEquals(addressBytes(text), undefined, text);
  }
});

Deno.test("ipv4Within() gives the addresses of IPv4 that one of IPv6 may lead to", () => {
  const table: Record<string, string[]> = {
    "::ffff:169.254.169.254": ["169.254.169.254"],
    "::ffff:a9fe:a9fe": ["169.254.169.254"],
    "::ffff:0:127.0.0.1": ["127.0.0.1"],
    "::127.0.0.1": ["127.0.0.1"],
    "64:ff9b::7f00:1": ["127.0.0.1"],
    "2002:a9fe:a9fe::1": ["169.254.169.254"],
    // RFC 6052 puts the address behind a prefix of 48, 56, 64 or 96 bits, around the byte 8.
    "64:ff9b:1:a9fe:a9:fe00::": ["169.254.169.254", "254.169.254.0", "169.254.0.0"],
    "64:ff9b:1:a9:fe:a9fe::": ["169.254.169.254", "254.169.254.0"],
    "64:ff9b:1:0:a9:fea9:fe00:0": ["169.254.169.254", "254.0.0.0"],
    "64:ff9b:1::8.8.8.8": ["8.8.8.8"],
  };
  for (const [address, expected] of Object.entries(table)) {
    assertEquals(new Set(ipv4Within(address)), new Set(expected), address);
  }
  const none = ["1.2.3.4", "::", "::1", "2001:db8::1", "64:ff9b:2::1", "fe80::1%eth0", "host", ""];
  for (const address of none) assertEquals(ipv4Within(address), [], address);
});

Deno.test("lastOfNetwork() gives the last address of a network of IPv4", async () => {
  const last = (text: string) => {
    const [address = "", length] = text.split("/");
    return lastOfNetwork(address, Number(length));
  };
  await same(last, [
    ["192.0.2.7/24", "192.0.2.255"],
    ["192.0.2.130/26", "192.0.2.191"],
    ["10.1.2.3/8", "10.255.255.255"],
    ["10.1.2.3/0", "255.255.255.255"],
    ["192.0.2.1/30", "192.0.2.3"],
    ["192.0.2.1/31", undefined],
    ["192.0.2.1/32", undefined],
    ["2001:db8::1/24", undefined],
  ]);
});

Deno.test("isLoopbackHost() knows this machine by name and address", () => {
  for (const host of ["localhost", "127.0.0.1", "127.9.9.9", "::1"]) assert(isLoopbackHost(host));
  for (const host of ["localhost.example", "128.0.0.1", "::2", ""]) assert(!isLoopbackHost(host));
});
