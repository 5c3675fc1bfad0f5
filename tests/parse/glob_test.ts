import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { attempt } from "../../lib/attempt.ts";
import { checkGlob, matchesGlob } from "../../lib/parse/glob.ts";

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

/** The documented cases of Go's `path/filepath`, without those of slashes; `undefined` is malformed. */
const GO_CASES: [pattern: string, name: string, matches: boolean | undefined][] = [
  ["abc", "abc", true],
  ["*", "abc", true],
  ["*c", "abc", true],
  ["a*", "a", true],
  ["a*", "abc", true],
  ["a*b*c*d*e*", "axbxcxdxe", true],
  ["a*b?c*x", "abxbbxdbxebxczzx", true],
  ["a*b?c*x", "abxbbxdbxebxczzy", false],
  ["ab[c]", "abc", true],
  ["ab[b-d]", "abc", true],
  ["ab[e-g]", "abc", false],
  ["ab[^c]", "abc", false],
  ["ab[^b-d]", "abc", false],
  ["ab[^e-g]", "abc", true],
  ["a\\*b", "a*b", true],
  ["a\\*b", "ab", false],
  ["a?b", "a☺b", true],
  ["a[^a]b", "a☺b", true],
  ["a???b", "a☺b", false],
  ["a[^a][^a][^a]b", "a☺b", false],
  ["[a-ζ]*", "α", true],
  ["*[a-ζ]", "A", false],
  ["[\\]a]", "]", true],
  ["[\\-]", "-", true],
  ["[x\\-]", "x", true],
  ["[x\\-]", "-", true],
  ["[x\\-]", "z", false],
  ["[\\-x]", "x", true],
  ["[\\-x]", "-", true],
  ["[\\-x]", "a", false],
  ["[]a]", "]", undefined],
  ["[-]", "-", undefined],
  ["[x-]", "x", undefined],
  ["[x-]", "-", undefined],
  ["[x-]", "z", undefined],
  ["[-x]", "x", undefined],
  ["[-x]", "-", undefined],
  ["[-x]", "a", undefined],
  ["\\", "a", undefined],
  ["[a-b-c]", "a", undefined],
  ["[", "a", undefined],
  ["[^", "a", undefined],
  ["[^bc", "a", undefined],
  ["a[", "a", undefined],
  ["a[", "ab", undefined],
  ["a[", "x", undefined],
  ["*x", "xxx", true],
  ["en[ps]*", "enp3s0", true],
  ["en[ps]*", "eno1", false],
];

for (const [pattern, name, matches] of GO_CASES) {
  const does = { true: "takes", false: "does not take", undefined: "is malformed before" };
  Deno.test(`matchesGlob() reads patterns as Go does: ${pattern} ${does[`${matches}`]} ${name}`, () => {
    if (matches !== undefined) return assertEquals(matchesGlob(name, pattern), matches);
    assertThrows(() => checkGlob(pattern), SyntaxError);
    assert(attempt(() => matchesGlob(name, pattern)) !== true, "it takes the name");
  });
}

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
