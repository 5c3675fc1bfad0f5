import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { shellWord } from "../../lib/service/shell_words.ts";

Deno.test("shellWord() is one word for a shell, whatever is in it", () => {
  const words = fc.sample(fc.string({ unit: "binary" }), 200)
    .map((word) => word.replaceAll("\0", "")).concat("'", "a'b", "$(id)", "`id`", "\\", "");
  const { stdout } = new Deno.Command("sh", {
    args: ["-c", `printf '%s\\0' ${words.map(shellWord).join(" ")}`],
  }).outputSync();
  const told = new TextDecoder("utf-8", { ignoreBOM: true }).decode(stdout).split("\0").slice(
    0,
    -1,
  );
  // A half of a pair is no text outside of this language.
  assertEquals(told, words.map((word) => word.toWellFormed()));
});
