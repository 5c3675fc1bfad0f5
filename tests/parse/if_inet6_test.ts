import { assertEquals, assertThrows } from "@std/assert";
import { parseIfInet6 } from "../../lib/parse/if_inet6.ts";
import { onlySyntaxErrors } from "./only_syntax_errors.ts";

const TEXT = `00000000000000000000000000000001 01 80 10 80       lo
fe8000000000000000fc00fffe000001 04 40 20 80     eth0
20010db80000000100000000000000a2 1a4 40 00 82  enp0s31f6.100
`;

Deno.test("parseIfInet6() gives addresses in their shortest form", () => {
  assertEquals(parseIfInet6(TEXT), [
    { interface: "lo", address: "::1" },
    { interface: "eth0", address: "fe80::fc:ff:fe00:1" },
    { interface: "enp0s31f6.100", address: "2001:db8:0:1::a2" },
  ]);
  assertEquals(parseIfInet6(""), []);
});

Deno.test("parseIfInet6() throws when a line is malformed", () => {
  for (
    const line of [
      "0000000000000000000000000000001 01 80 10 80 lo",
      "00000000000000000000000000000001 01 80 10 lo",
      "00000000000000000000000000000001 01 80 10 80",
      "::1 01 80 10 80 lo",
    ]
  ) assertThrows(() => parseIfInet6(line), SyntaxError, `Cannot parse if_inet6: "${line}"`);
});

Deno.test("parseIfInet6() throws nothing but SyntaxError", () => {
  onlySyntaxErrors(parseIfInet6, [TEXT]);
});
