import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { isNewerVersion, stableVersionOf } from "../../lib/parse/version_order.ts";

Deno.test("stableVersionOf() accepts tags of stable versions only", () => {
  for (const tag of ["v1.2.3", "1.2.3", "v01.2.3", "v1.2.3+build.5"]) {
    assertEquals(stableVersionOf(tag), "1.2.3", tag);
  }
  assertEquals(stableVersionOf("1.2.123456789"), "1.2.123456789");
  const others = "v1.2 1.2.3.4 v1.2.3-rc.1 latest v1.2.x -1.2.3 vv1.2.3 1.2.1234567890".split(" ");
  for (const tag of [...others, "", "v1.2.3 "]) assertEquals(stableVersionOf(tag), undefined, tag);
});

Deno.test("isNewerVersion() compares numerically, a pre-release before its release, and is false for other text", () => {
  const newer = ["1.10.0 1.9.9", "2.0.0 1.99.99", "1.2.3 1.2.3-rc.1"];
  const not = [
    ...["1.2.3 1.2.3", "1.2.3 1.2.10", "0.9.0 1.0.0", "1.2.2 1.2.3-rc.1", "1.2.4-rc.1 1.2.3"],
    ...["2.0.0 unknown", "latest 1.0.0"],
  ];
  for (const pair of [...newer, ...not]) {
    const [one = "", other = ""] = pair.split(" ");
    assertEquals(isNewerVersion(one, other), newer.includes(pair), pair);
  }
});

const version = fc.tuple(fc.nat(20), fc.nat(20), fc.nat(20)).map((parts) => parts.join("."));

Deno.test("isNewerVersion() is a strict order", () => {
  fc.assert(fc.property(version, version, version, (a, b, c) => {
    assertEquals(isNewerVersion(a, a), false);
    assertEquals(isNewerVersion(a, b) && isNewerVersion(b, a), false);
    assertEquals(isNewerVersion(a, b) || isNewerVersion(b, a), a !== b);
    if (isNewerVersion(a, b) && isNewerVersion(b, c)) assertEquals(isNewerVersion(a, c), true);
  }));
});
