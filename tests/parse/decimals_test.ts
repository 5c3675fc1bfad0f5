import { assertEquals } from "@std/assert";
import { decimalsAt } from "../../lib/parse/decimals.ts";

Deno.test("decimalsAt() gives the numbers of a line, as many as are asked for", () => {
  assertEquals(decimalsAt("x:  12 0 345\n6", 2, 5), [12, 0, 345]);
  assertEquals(decimalsAt("x:  12 0 345\n6", 2, 2), [12, 0]);
  assertEquals(decimalsAt("x:7", 2, 2), [7]);
  assertEquals(decimalsAt("x:", 2, 1), []);
  assertEquals(decimalsAt("x: 1 \n2", 2, 5), [1]);
});

Deno.test("decimalsAt() ends with NaN at a word that is no decimal number", () => {
  for (const word of ["-1", "1.5", "1e3", "0x1", "12kB", "١", "\t1"]) {
    assertEquals(decimalsAt(`x: 8 ${word} 5`, 2, 3), [8, NaN], word);
  }
});

Deno.test("decimalsAt() rounds what is beyond 2^53", () => {
  assertEquals(decimalsAt("x:18446744073709551615", 2, 1), [2 ** 64]);
  assertEquals(decimalsAt(`x:${"9".repeat(400)}`, 2, 1), [Infinity]);
});
