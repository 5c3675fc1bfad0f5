import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { splitShellWords } from "../../lib/service/shell_words.ts";

Deno.test("splitShellWords() knows quotes and backslashes", () => {
  assertEquals(
    splitShellWords(String.raw`a 'b "c' "d \"e\" \f" g\ h i"j"'k' ''`),
    ["a", 'b "c', 'd "e" \\f', "g h", "ijk", ""],
  );
  assertEquals(splitShellWords("a 'b c"), ["a", "b c"]);
});

Deno.test("splitShellWords() gives back what was quoted", () => {
  fc.assert(fc.property(fc.array(fc.string()), (words) => {
    const text = words.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
    assertEquals(splitShellWords(text), words);
  }));
});
