import { assertEquals, assertThrows } from "@std/assert";
import { parseVmStat } from "../../lib/parse/vm_stat.ts";
import { onlySyntaxErrors } from "./only_syntax_errors.ts";

const TEXT = Deno.readTextFileSync(new URL("../fixtures/macbook-arm64/vm_stat", import.meta.url));

Deno.test("parseVmStat() multiplies pages by their size", () => {
  assertEquals(parseVmStat(TEXT), {
    wiredBytes: 131072 * 16384,
    anonymousBytes: 380810 * 16384,
    purgeableBytes: 5120 * 16384,
    compressorBytes: 262144 * 16384,
  });
});

const table = [
  ["is empty", "", "no page size"],
  ["has pages of no size", TEXT.replace("16384 bytes", "0 bytes"), "no page size"],
  ["lacks a line", TEXT.replace(/^Anonymous.*\n/m, ""), '"Anonymous pages"'],
  ["has no count", TEXT.replace(/131072\./, "many"), '"Pages wired down"'],
  ["has too large a count", TEXT.replace(/131072\./, "999999999999999."), '"Pages wired down"'],
] as const;
Deno.test("parseVmStat() throws a SyntaxError for any other text, and nothing else", () => {
  for (const [what, text, quoted] of table) {
    assertThrows(() => parseVmStat(text), SyntaxError, quoted, what);
  }
  onlySyntaxErrors(parseVmStat, [TEXT]);
});
