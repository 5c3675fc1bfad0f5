import { assertEquals } from "@std/assert";
import { Decimals } from "../../lib/parse/decimals.ts";

/** What the next calls give for a text, read from its third character on. */
function read(text: string, calls: number): (number | undefined)[] {
  const numbers = new Decimals(text, 2);
  return Array.from({ length: calls }, () => numbers.next());
}

Deno.test("Decimals.next() gives the numbers of a line, and undefined at its end", () => {
  assertEquals(read("x:  12 0 345\n6", 5), [12, 0, 345, undefined, undefined]);
  assertEquals(read("x:7", 2), [7, undefined]);
  assertEquals(read("x:", 1), [undefined]);
});

Deno.test("Decimals.next() gives NaN for a word that is no decimal number, and does not pass it", () => {
  for (const word of ["-1", "1.5", "1e3", "0x1", "12kB", "١", "\t1"]) {
    assertEquals(read(`x: ${word} 5`, 2), [NaN, NaN], word);
  }
});

Deno.test("Decimals.next() rounds what is beyond 2^53", () => {
  assertEquals(read("x:18446744073709551615", 1), [2 ** 64]);
  assertEquals(read(`x:${"9".repeat(400)}`, 1), [Infinity]);
});

Deno.test("Decimals.offset is where the last number has ended", () => {
  const numbers = new Decimals("x: 12 kB", 2);
  numbers.next();
  assertEquals(numbers.offset, 5);
});
