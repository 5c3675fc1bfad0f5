import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { basename, decodePaths, dirname, encodePath } from "../../lib/parse/path.ts";
import { same } from "../cases.ts";

Deno.test("dirname() and basename() split a path", async () => {
  await same((path) => [dirname(path), basename(path)], [
    ["/opt/a/b", ["/opt/a", "b"]],
    ["/b", ["", "b"]],
    ["b", ["", "b"]],
    ["/a/", ["/a", ""]],
  ]);
  fc.assert(fc.property(fc.string(), (text) => {
    assertEquals(`${dirname(`/${text}`)}/${basename(`/${text}`)}`, `/${text}`);
  }));
});

Deno.test("encodePath() gives the bytes of every path that decodePaths() has read, UTF-8 or not", () => {
  const byte = fc.integer({ min: 1, max: 255 }).filter((byte) => byte !== 0x0a);
  fc.assert(fc.property(fc.array(byte), (path) => {
    const bytes = Uint8Array.from(path);
    assertEquals(encodePath(decodePaths(bytes)), bytes);
  }));
  const encoder = new TextEncoder();
  assertEquals(decodePaths(encoder.encode("/größer\n/\ufffd\n")), "/größer\n/\ufffd\n");
  const bytes = Uint8Array.from([...encoder.encode("/größer\n/m"), 0xe9, 0x2f, 0x61, 0x0a]);
  assertEquals(decodePaths(bytes), "/größer\n/m\udce9/a\n");
  assertEquals(encodePath("/größer"), encoder.encode("/größer"));
});
