import { assertEquals } from "@std/assert";
import { didYouMean } from "../../lib/config/usage_error.ts";

Deno.test("didYouMean() names what is a third of the letters away at most, and the nearest of it", () => {
  const table: [word: string, names: string[], nearest: string][] = [
    ["abcdef", ["abcxyf"], "abcxyf"],
    ["abcdef", ["abxxyf"], ""],
    ["abcdef", ["abcdefgh"], "abcdefgh"],
    ["abcdef", ["abcdefghi"], ""],
    ["ab", ["ax"], "ax"],
    ["ab", ["xy"], ""],
    ["abcdef", ["abcxyf", "abcdxf", "abcdex"], "abcdxf"],
    ["same", ["same", "sama"], "same"],
    ["", ["x"], "x"],
    ["x", [], ""],
  ];
  for (const [word, names, nearest] of table) {
    const hint = nearest === "" ? "" : `; did you mean ${nearest}?`;
    assertEquals(didYouMean(word, names), hint, word);
  }
});
