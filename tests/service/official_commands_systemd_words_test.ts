import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { expandSystemdWords, splitSystemdWords } from "../../lib/service/official_commands.ts";

Deno.test("splitSystemdWords() handles quotes and escapes", () => {
  assertEquals(
    splitSystemdWords(String.raw`a  "b c" 'd "e' f\x20g\s\"h\\ "" \101 \u00e4 \q`),
    ["a", "b c", 'd "e', 'f g "h\\', "", "A", "ä", "\\q"],
  );
});

Deno.test("splitSystemdWords() knows each escape of systemd, and leaves others as they are", () => {
  const table: [word: string, text: string][] = [
    [String.raw`\a\b\f\n\r\t\v\s`, "\x07\b\f\n\r\t\v "],
    [String.raw`\\\"\'`, "\\\"'"],
    [String.raw`\x4a\x4A\u00e4\u00E4\112\377`, "JJääJ\xff"],
    [String.raw`\477\x4\u00e\88`, String.raw`\477\x4\u00e\88`],
  ];
  for (const [word, text] of table) assertEquals(splitSystemdWords(word), [text], word);
});

Deno.test("splitSystemdWords() closes an open quote at the end of the line", () => {
  assertEquals(splitSystemdWords('a "b c'), ["a", "b c"]);
  assertEquals(splitSystemdWords("a\\"), ["a\\"]);
  assertEquals(splitSystemdWords(" \t "), []);
});

Deno.test("splitSystemdWords() reverses systemdArgument()", () => {
  const word = fc.string();
  fc.assert(fc.property(fc.array(word), (words) => {
    const line = words.map((it) => `"${it.replace(/["\\]/g, "\\$&")}"`).join(" ");
    assertEquals(splitSystemdWords(line), words);
  }));
});

Deno.test("expandSystemdWords() expands variables within words and into several", () => {
  const env = { URL: "https://x", MORE: "-t 'a b'", EMPTY: "" };
  assertEquals(
    expandSystemdWords(["-e=${URL}/p", "$MORE", "$EMPTY", "$MISSING", "${MISSING}", "a$$b"], env),
    ["-e=https://x/p", "-t", "a b", "", "a$b"],
  );
  assertEquals(expandSystemdWords(["a$URL"], env), ["a$URL"]);
});
