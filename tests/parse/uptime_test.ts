import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { parseUptime } from "../../lib/parse/uptime.ts";
import { onlySyntaxErrors } from "./only_syntax_errors.ts";

Deno.test("parseUptime() reads seconds with a fraction", () => {
  assertEquals(parseUptime("1924.67 3543.66\n"), 1924.67);
  assertEquals(parseUptime("86400 0\n"), 86400);
});

for (const line of ["", "up", "-5.00 1.00", "1924.67x 1", ".5 1", "5\x01 1"]) {
  Deno.test(`parseUptime() throws when the line is "${line}"`, () => {
    assertThrows(() => parseUptime(`${line}\n`), SyntaxError, `"${line}"`);
  });
}

Deno.test("parseUptime() throws nothing but SyntaxError", () => {
  onlySyntaxErrors(parseUptime, ["1924.67 3543.66\n"]);
});

Deno.test("parseUptime() reads back what the kernel would write", () => {
  fc.assert(fc.property(fc.nat(), fc.nat({ max: 99 }), (seconds, hundredths) => {
    const text = `${seconds}.${`${hundredths}`.padStart(2, "0")}`;
    assertEquals(parseUptime(`${text} 0.00\n`), Number(text));
  }));
});
