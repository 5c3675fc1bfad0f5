import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  codePoint,
  decimalAt,
  findLine,
  firstLine,
  quoteStart,
  truncate,
} from "../../lib/parse/bounded_text.ts";
import { same } from "../cases.ts";

Deno.test("truncate() leaves what fits, cuts the rest with an ellipsis, and leaves no half of a character", () => {
  const length = fc.integer({ min: 1, max: 20 });
  fc.assert(fc.property(fc.string({ unit: "binary" }), length, (text, max) => {
    const cut = truncate(text, max);
    assert(cut.length <= max && (cut === text || cut.isWellFormed() && cut.endsWith("…")));
    assertEquals(cut === text, text.length <= max);
  }));
});

Deno.test("quoteStart(), codePoint() and firstLine() bound what an error quotes", async () => {
  await same(quoteStart, [
    ['a "b"\n\u0007', '"a \\"b\\"\\n\\u0007"'],
    ["a → b", '"a -> b"'],
    ["x".repeat(50), JSON.stringify("x".repeat(39) + "…")],
  ]);
  assertEquals([quoteStart("x".repeat(50), 3), codePoint("：")], ['"xx…"', "FF1A"]);
  await same(firstLine, [["one\ntwo", "one"], ["one", "one"], ["\ntwo", ""], ["", ""]]);
  assertEquals(firstLine("x".repeat(5000)).length, 120);
});

Deno.test("findLine() returns the first line that begins so, and nothing of others", async () => {
  const text = "one 1\ntwo 2\nthree 3\ntwo 4\nlast";
  await same((start) => findLine(text, start), [
    ["one ", "one 1"],
    ["two ", "two 2"],
    ["last", "last"],
    ["ne", undefined],
    ["2", undefined],
  ]);
  assertEquals(findLine("", "one"), undefined);
});

Deno.test("decimalAt() gives the number in a column of one line, NaN from another word on, and rounds", async () => {
  await same((text) => [0, 1, 2, 3].map((column) => decimalAt(text, 2, column)), [
    ["x:  12 0 345\n6", [12, 0, 345, undefined]],
    ["x:7", [7, undefined, undefined, undefined]],
    ["x: 1 \n2", [1, undefined, undefined, undefined]],
    ["x:", [undefined, undefined, undefined, undefined]],
    ["x:18446744073709551615", [2 ** 64, undefined, undefined, undefined]],
    [`x:${"9".repeat(400)}`, [Infinity, undefined, undefined, undefined]],
  ]);
  for (const word of ["-1", "1.5", "1e3", "0x1", "12kB", "١", "\t1"]) {
    const columns = [0, 1, 2].map((column) => decimalAt(`x: 8 ${word} 5`, 2, column));
    assertEquals(columns, [8, NaN, NaN], word);
  }
});
