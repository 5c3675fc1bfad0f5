import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { mirroredUrl } from "../../lib/update/releases.ts";

const MIRROR = "https://mirror.example.com/gh";
const FILE = "https://github.com/o/n/releases/download/v1/x";

Deno.test("mirroredUrl() prefixes GitHub's addresses", () => {
  for (
    const url of [
      FILE,
      "https://api.github.com/repos/o/n/releases/latest",
      "https://objects.githubusercontent.com/x",
      "https://GITHUB.com/x",
    ]
  ) assertEquals(mirroredUrl(url, MIRROR), `${MIRROR}/${url}`);
});

Deno.test("mirroredUrl() keeps other addresses, and all without a mirror", () => {
  for (
    const url of [
      "https://releases.example.com/x",
      "https://github.com.example.com/x",
      "https://notgithub.com/x",
      "https://example.com/https://github.com/x",
    ]
  ) assertEquals(mirroredUrl(url, MIRROR), url);
  assertEquals(mirroredUrl(FILE, ""), FILE);
});

Deno.test("mirroredUrl() never repeats the prefix", () => {
  const once = `${MIRROR}/${FILE}`;
  assertEquals(mirroredUrl(once, MIRROR), once);
  assertEquals(mirroredUrl(`${MIRROR}/${once}`, MIRROR), once);
  // The mirror's own addresses are not those of what lies behind it.
  assertEquals(mirroredUrl(`${MIRROR}/releases/x`, MIRROR), `${MIRROR}/releases/x`);
});

Deno.test("mirroredUrl() is idempotent", () => {
  fc.assert(fc.property(fc.webUrl(), fc.nat(3), (url, times) => {
    const before = `${MIRROR}/`.repeat(times) + url;
    const once = mirroredUrl(before, MIRROR);
    assertEquals(mirroredUrl(once, MIRROR), once);
  }));
});
