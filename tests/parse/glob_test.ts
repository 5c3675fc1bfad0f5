import { assert, assertEquals, assertThrows } from "@std/assert";
import { attempt } from "../../lib/attempt.ts";
import { matchesGlob, parseGlob } from "../../lib/parse/glob.ts";
import { cases } from "../cases.ts";

/** Whole names, and the documented cases of Go's `path/filepath` without those of slashes. */
const PATTERNS = cases(String.raw`
  eth0 → +eth0 -ETH0
  eth* → +eth0 +eth -veth0
  eth → -eth0
  lo → -wlo1
  *lo* → +wlo1
  eth? → +eth0 -eth10 -eth
  * → +abc
  *abd → +abcabd
  a*b*d → +abcabd
  a*b*c → -abcabd
  *.* → +eth0.10
  eth0.10 → -eth0x10
  a*b → +a*b
  abc → +abc
  *c → +abc
  a* → +a +abc
  a*b*c*d*e* → +axbxcxdxe
  a*b?c*x → +abxbbxdbxebxczzx -abxbbxdbxebxczzy
  ab[c] → +abc
  ab[b-d] → +abc
  ab[e-g] → -abc
  ab[^c] → -abc
  ab[^b-d] → -abc
  ab[^e-g] → +abc
  a\*b → +a*b -ab
  a?b → +a☺b
  a[^a]b → +a☺b
  a???b → -a☺b
  a[^a][^a][^a]b → -a☺b
  [a-ζ]* → +α
  *[a-ζ] → -A
  [\]a] → +]
  [\-] → +-
  [x\-] → +x +- -z
  [\-x] → +x +- -a
  []a] → malformed
  [-] → malformed
  [x-] → malformed
  [-x] → malformed
  \ → malformed
  [a-b-c] → malformed
  [ → malformed
  [^ → malformed
  [^] → malformed
  [^bc → malformed
  a[ → malformed
  *x → +xxx
  en[ps]* → +enp3s0 -eno1
`);

Deno.test("matchesGlob() matches whole names as Go does, and finds malformed patterns", () => {
  for (const [pattern, names] of PATTERNS) {
    if (names === "malformed") {
      assertThrows(() => parseGlob(pattern), SyntaxError);
      for (const name of ["a", "]", "-", "x", "z", "ab"]) {
        assert(attempt(() => matchesGlob(name, pattern)) !== true, `${pattern} takes ${name}`);
      }
      continue;
    }
    for (const name of names.split(" ")) {
      assertEquals(matchesGlob(name.slice(1), pattern), name.startsWith("+"), `${pattern} ${name}`);
    }
  }
  assertEquals(["", "*", "?"].map((pattern) => matchesGlob("", pattern)), [true, true, false]);
  assertEquals(matchesGlob("eth0", ""), false);
});
