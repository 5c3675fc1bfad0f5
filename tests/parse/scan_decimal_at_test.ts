import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { decimalAt } from "../../lib/parse/scan.ts";

Deno.test("decimalAt() reads the number behind the spaces", () => {
  assertEquals(decimalAt("MemFree:    4711 kB", 8), 4711);
  assertEquals(decimalAt("0", 0), 0);
});

Deno.test("decimalAt() finds none in words, signs and empty text", () => {
  for (const text of ["", "   ", "kB", "-1", "+1", "\t1"]) {
    assertEquals(decimalAt(text, 0), undefined);
  }
  assertEquals(decimalAt("1", 5), undefined);
});

Deno.test("decimalAt() refuses what it can't hold exactly", () => {
  assertEquals(decimalAt("9007199254740991", 0), Number.MAX_SAFE_INTEGER);
  assertEquals(decimalAt("9007199254740992", 0), undefined);
  assertEquals(decimalAt("9".repeat(400), 0), undefined);
});

Deno.test("decimalAt() reads back every number", () => {
  fc.assert(fc.property(fc.maxSafeNat(), fc.stringMatching(/^[^ 0-9]*$/), (value, rest) => {
    assertEquals(decimalAt(`${rest} ${value}${rest}`, rest.length), value);
  }));
});
