import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { folderOf, nameOf } from "../../lib/parse/path.ts";

Deno.test("folderOf() and nameOf() take a path apart", () => {
  assertEquals(["/opt/a/b", "/b", "b", ""].map(folderOf), ["/opt/a", "", "", ""]);
  assertEquals(["/opt/a/b", "/b", "b", "/a/"].map(nameOf), ["b", "b", "b", ""]);
  fc.assert(fc.property(fc.string(), (text) => {
    assertEquals(`${folderOf(`/${text}`)}/${nameOf(`/${text}`)}`, `/${text}`);
  }));
});
