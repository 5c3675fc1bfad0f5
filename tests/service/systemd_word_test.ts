import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { expandSystemdWords, splitSystemdWords } from "../../lib/service/official_commands.ts";
import { systemdArgument, systemdWord } from "../../lib/service/systemd.ts";

/** What a path or a value may have: everything but line feeds and other control characters. */
const words = fc.string({ minLength: 1 }).filter((word) => !/\p{Cc}/u.test(word));

Deno.test("systemdWord() is read back unchanged", () => {
  fc.assert(fc.property(words, (word) => {
    const [read, ...more] = splitSystemdWords(systemdWord(word).replaceAll("%%", "%"));
    assertEquals([read, more], [word, []]);
  }));
});

Deno.test("systemdArgument() expands no variable", () => {
  fc.assert(fc.property(words, (word) => {
    const split = splitSystemdWords(systemdArgument(word).replaceAll("%%", "%"));
    assertEquals(expandSystemdWords(split, { HOME: "x" }), [word]);
  }));
});
