import { assertEquals } from "@std/assert";
import { parseCount, parseCounts } from "../../lib/parse/count.ts";

Deno.test("parseCount() reads unsigned numbers of 64 bits and nothing else", () => {
  assertEquals(parseCount("0"), 0);
  assertEquals(parseCount("18446744073709551615"), 2 ** 64);
  for (const word of ["", "-1", "1.5", "1e3", "0x1", " 1", "1\n", "9".repeat(21), "NaN", "١"]) {
    assertEquals(parseCount(word), undefined, word);
  }
  assertEquals(parseCount(undefined), undefined);
});

Deno.test("parseCounts() refuses all words when one is no number", () => {
  assertEquals(parseCounts(["1", "2"]), [1, 2]);
  assertEquals(parseCounts(["1", "x"]), undefined);
  assertEquals(parseCounts([]), []);
});
