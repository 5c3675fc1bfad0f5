import { assertEquals, assertThrows } from "@std/assert";
import { parseRoutes } from "../../lib/parse/route.ts";
import { onlySyntaxErrors } from "./only_syntax_errors.ts";

const HEAD =
  "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT     \n";
const TEXT = `${HEAD}eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0          
eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0                              
`;

Deno.test("parseRoutes() reads addresses in the order of their bytes", () => {
  assertEquals(parseRoutes(TEXT), [
    { interface: "eth0", destination: 0, mask: 0, gateway: 0xc0000201 },
    { interface: "eth0", destination: 0xc0000200, mask: 0xffffff00, gateway: 0 },
  ]);
  assertEquals(parseRoutes(HEAD), []);
  assertEquals(parseRoutes(""), []);
});

Deno.test("parseRoutes() throws when a line lacks a column", () => {
  for (
    const line of [
      "eth0",
      "eth0\t0000000\t0\t0\t0\t0\t0\t00000000",
      "eth0 00000000 0 0 0 0 0 x",
      "eth0 00000000 x 0 0 0 0 00000000",
    ]
  ) {
    assertThrows(() => parseRoutes(HEAD + line), SyntaxError, `Cannot parse route: "eth0`);
  }
});

Deno.test("parseRoutes() throws nothing but SyntaxError", () => {
  onlySyntaxErrors(parseRoutes, [TEXT]);
});
