import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { parseAddressAnswer } from "../../lib/metrics/public_addresses.ts";
import { ipFamily, isPublicAddress } from "../../lib/parse/ip_address.ts";

Deno.test("parseAddressAnswer() finds the address that stands alone", () => {
  assertEquals(parseAddressAnswer("9.9.9.9\n", 4), "9.9.9.9");
  assertEquals(parseAddressAnswer(" 2620:fe::fe\r\n", 6), "2620:fe::fe");
});

Deno.test("parseAddressAnswer() finds the line of a trace", () => {
  const trace = "fl=12f3\nh=1.1.1.1\nip=9.9.9.9\nts=1.5\nvisit_scheme=https\ncolo=FRA\n";
  assertEquals(parseAddressAnswer(trace, 4), "9.9.9.9");
  assertEquals(parseAddressAnswer(trace.replaceAll("\n", "\r\n"), 4), "9.9.9.9");
  assertEquals(parseAddressAnswer(trace, 6), undefined);
});

Deno.test("parseAddressAnswer() refuses everything else", () => {
  const bad = ["", "\n", "unknown", "<html>9.9.9.9</html>", '{"ip":"9.9.9.9"}', "9.9.9.9 8.8.8.8"];
  bad.push("10.0.0.1", "127.0.0.1", "192.0.2.1", "100.64.1.1", "2620:fe::fe", "ip=", "ip=10.1.1.1");
  bad.push("9.9.9.9:80", "9.9.9.9/32", "::ffff:9.9.9.9", "ip=9.9.9.9;x", "Current IP: 9.9.9.9");
  for (const text of bad) assertEquals(parseAddressAnswer(text, 4), undefined, text);
  for (
    const text of ["9.9.9.9", "fe80::1%eth0", "fd00::1", "::1", "2001:db8::1", "[2620:fe::fe]"]
  ) {
    assertEquals(parseAddressAnswer(text, 6), undefined, text);
  }
});

Deno.test("parseAddressAnswer() never makes up an address", () => {
  const piece = fc.constantFrom(
    "ip=",
    "\n",
    " ",
    "9.9.9.9",
    "2620:fe::fe",
    "10.0.0.1",
    "x",
    "\r\n",
  );
  const family = fc.constantFrom<4 | 6>(4, 6);
  fc.assert(fc.property(fc.array(piece, { maxLength: 8 }), family, (pieces, family) => {
    const text = pieces.join("");
    const address = parseAddressAnswer(text, family);
    if (address === undefined) return;
    assert(text.includes(address) && ipFamily(address) === family && isPublicAddress(address));
  }));
});

Deno.test("parseAddressAnswer() gives back any public address", () => {
  fc.assert(fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (address) => {
    const family = ipFamily(address);
    assert(family);
    const expected = isPublicAddress(address) ? address : undefined;
    assertEquals(parseAddressAnswer(`${address}\n`, family), expected);
  }));
});
