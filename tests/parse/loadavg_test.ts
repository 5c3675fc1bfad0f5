import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { parseLoadavg } from "../../lib/parse/loadavg.ts";
import { onlySyntaxErrors } from "./only_syntax_errors.ts";

Deno.test("parseLoadavg() reads the three averages", () => {
  assertEquals(parseLoadavg("2.72 1.41 0.57 4/109 10073\n"), {
    oneMinute: 2.72,
    fiveMinutes: 1.41,
    fifteenMinutes: 0.57,
  });
});

const lines = [
  "",
  "0.07",
  "0.07 0.03",
  "0.07 0.03 x 2/95 1",
  "-1.00 0.03 0.07",
  "0.1 0.2 0.3x",
  "0.1\t0.2 0.3",
  "0.1 0.2 0.3\x01",
];
for (const line of lines) {
  Deno.test(`parseLoadavg() throws when the line is "${line}"`, () => {
    assertThrows(() => parseLoadavg(`${line}\n`), SyntaxError, `"${line}"`);
  });
}

Deno.test("parseLoadavg() throws nothing but SyntaxError", () => {
  onlySyntaxErrors(parseLoadavg, ["2.72 1.41 0.57 4/109 10073\n"]);
});

Deno.test("parseLoadavg() reads back what the kernel would write", () => {
  const average = fc.nat({ max: 1e7 }).map((hundredths) => (hundredths / 100).toFixed(2));
  fc.assert(fc.property(average, average, average, (one, five, fifteen) => {
    const load = parseLoadavg(`${one} ${five} ${fifteen} 1/2 3\n`);
    assertEquals(Object.values(load), [Number(one), Number(five), Number(fifteen)]);
  }));
});
