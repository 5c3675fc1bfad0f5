import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { decimalAt, fractionBetween, lineAt, wordEnd } from "../../lib/parse/scan.ts";

Deno.test("lineAt() returns the line around the offset", () => {
  const text = "one\ntwo\nthree";
  assertEquals(lineAt(text, 0), "one");
  assertEquals(lineAt(text, 3), "one");
  assertEquals(lineAt(text, 4), "two");
  assertEquals(lineAt(text, 12), "three");
  assertEquals(lineAt("", 0), "");
});

Deno.test("lineAt() truncates a long line", () => {
  assertEquals(lineAt("x".repeat(5000), 0).length, 120);
});

Deno.test("decimalAt() reads the number after spaces", () => {
  assertEquals(decimalAt("MemFree:    4711 kB", 8), 4711);
  assertEquals(decimalAt("0", 0), 0);
});

Deno.test("decimalAt() returns undefined for words, signs and empty text", () => {
  for (const text of ["", "   ", "kB", "-1", "+1", "\t1"]) {
    assertEquals(decimalAt(text, 0), undefined);
  }
  assertEquals(decimalAt("1", 5), undefined);
});

Deno.test("decimalAt() returns undefined beyond MAX_SAFE_INTEGER", () => {
  assertEquals(decimalAt("9007199254740991", 0), Number.MAX_SAFE_INTEGER);
  assertEquals(decimalAt("9007199254740992", 0), undefined);
  assertEquals(decimalAt("9".repeat(400), 0), undefined);
});

Deno.test("decimalAt() reads back every number", () => {
  fc.assert(fc.property(fc.maxSafeNat(), fc.stringMatching(/^[^ 0-9]*$/), (value, rest) => {
    assertEquals(decimalAt(`${rest} ${value}${rest}`, rest.length), value);
  }));
});

Deno.test("wordEnd() finds the blank, line feed or end behind a word", () => {
  for (const text of ["12 3", "12\n3", "12\t3", "12"]) assertEquals(wordEnd(text, 0), 2);
  assertEquals(wordEnd("12 3", 3), 4);
  assertEquals(wordEnd("12 3", 2), 2);
});

Deno.test("fractionBetween() reads numbers with and without a fraction", () => {
  assertEquals(fractionBetween("a 0.07 b", 2, 6), 0.07);
  assertEquals(fractionBetween("12345.67", 0, 8), 12345.67);
  assertEquals(fractionBetween("5", 0, 1), 5);
});

for (const text of ["", ".", ".5", "5.", "1.2.3", "-1", "1e3", "1 ", "1234567890123456"]) {
  Deno.test(`fractionBetween() returns undefined when the word is "${text}"`, () => {
    assertEquals(fractionBetween(text, 0, text.length), undefined);
  });
}
