import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { matchesGlob } from "../../lib/parse/glob.ts";

Deno.test("matchesGlob() matches whole names only", () => {
  const table: [name: string, pattern: string, matches: boolean][] = [
    ["eth0", "eth0", true],
    ["eth0", "eth*", true],
    ["eth", "eth*", true],
    ["veth0", "eth*", false],
    ["eth0", "eth", false],
    ["wlo1", "lo", false],
    ["wlo1", "*lo*", true],
    ["eth0", "eth?", true],
    ["eth10", "eth?", false],
    ["eth", "eth?", false],
    ["", "", true],
    ["", "*", true],
    ["", "?", false],
    ["eth0", "", false],
    ["abcabd", "*abd", true],
    ["abcabd", "a*b*d", true],
    ["abcabd", "a*b*c", false],
    ["eth0.10", "*.*", true],
    ["eth0x10", "eth0.10", false],
    ["a*b", "a*b", true],
    ["ETH0", "eth0", false],
  ];
  for (const [name, pattern, matches] of table) {
    assertEquals(matchesGlob(name, pattern), matches, `${name} ${pattern}`);
  }
});

Deno.test("matchesGlob() ends quickly when many stars can't match", () => {
  assertEquals(matchesGlob("a".repeat(2_000), "*a".repeat(500) + "b"), false);
});

Deno.test("matchesGlob() agrees with an equivalent regular expression", () => {
  const meanings: Record<string, string> = { "*": ".*", "?": ".", ".": "\\." };
  const letters = fc.array(fc.constantFrom("a", "b", "."), { maxLength: 12 });
  const signs = fc.array(fc.constantFrom("a", "b", ".", "*", "?"), { maxLength: 8 });
  fc.assert(
    fc.property(letters, signs, (name, pattern) => {
      const expression = pattern.map((sign) => meanings[sign] ?? sign);
      const witness = new RegExp(`^${expression.join("")}$`);
      assertEquals(matchesGlob(name.join(""), pattern.join("")), witness.test(name.join("")));
    }),
    { numRuns: 2_000 },
  );
});
