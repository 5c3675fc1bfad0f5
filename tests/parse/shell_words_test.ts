import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { quoteShellWord, splitShellWords } from "../../lib/parse/shell_words.ts";

Deno.test("splitShellWords() knows quotes and backslashes", () => {
  assertEquals(
    splitShellWords(String.raw`a 'b "c' "d \"e\" \f" g\ h i"j"'k' ''`),
    ["a", 'b "c', 'd "e" \\f', "g h", "ijk", ""],
  );
  assertEquals(splitShellWords("a 'b c"), ["a", "b c"]);
});

Deno.test("splitShellWords() gives back what was quoted", () => {
  fc.assert(fc.property(fc.array(fc.string()), (words) => {
    const text = words.map(quoteShellWord).join(" ");
    assertEquals(splitShellWords(text), words);
  }));
});

Deno.test("quoteShellWord() is one word for a shell, whatever is in it", () => {
  const words = fc.sample(fc.string({ unit: "binary" }), 200)
    .map((word) => word.replaceAll("\0", "")).concat("'", "a'b", "$(id)", "`id`", "\\", "");
  const { stdout } = new Deno.Command("sh", {
    args: ["-c", `printf '%s\\0' ${words.map(quoteShellWord).join(" ")}`],
  }).outputSync();
  const printed = new TextDecoder("utf-8", { ignoreBOM: true }).decode(stdout).split("\0").slice(
    0,
    -1,
  );
  // A half of a pair is no text outside of this language.
  assertEquals(printed, words.map((word) => word.toWellFormed()));
});
