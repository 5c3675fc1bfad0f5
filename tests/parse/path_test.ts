import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { basename, dirname } from "../../lib/parse/path.ts";

Deno.test("dirname() and basename() split a path", () => {
  assertEquals(["/opt/a/b", "/b", "b", ""].map(dirname), ["/opt/a", "", "", ""]);
  assertEquals(["/opt/a/b", "/b", "b", "/a/"].map(basename), ["b", "b", "b", ""]);
  fc.assert(fc.property(fc.string(), (text) => {
    assertEquals(`${dirname(`/${text}`)}/${basename(`/${text}`)}`, `/${text}`);
  }));
});
