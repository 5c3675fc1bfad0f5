import { assertEquals } from "@std/assert";
import { decimalAt } from "../../lib/parse/decimals.ts";

Deno.test("decimalAt() gives the number in a column of one line", () => {
  const columns = (text: string) => [0, 1, 2, 3].map((column) => decimalAt(text, 2, column));
  assertEquals(columns("x:  12 0 345\n6"), [12, 0, 345, undefined]);
  assertEquals(columns("x:7"), [7, undefined, undefined, undefined]);
  assertEquals(columns("x: 1 \n2"), [1, undefined, undefined, undefined]);
  assertEquals(columns("x:"), [undefined, undefined, undefined, undefined]);
  assertEquals(decimalAt("x: 5", 2), 5);
});

Deno.test("decimalAt() gives NaN from a word on that is no decimal number, and rounds what is beyond 2^53", () => {
  for (const word of ["-1", "1.5", "1e3", "0x1", "12kB", "١", "\t1"]) {
    const columns = [0, 1, 2].map((column) => decimalAt(`x: 8 ${word} 5`, 2, column));
    assertEquals(columns, [8, NaN, NaN], word);
  }
  assertEquals(decimalAt("x:18446744073709551615", 2), 2 ** 64);
  assertEquals(decimalAt(`x:${"9".repeat(400)}`, 2), Infinity);
});
