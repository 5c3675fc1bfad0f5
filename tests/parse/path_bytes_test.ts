import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { decodePaths, encodePath } from "../../lib/parse/path_bytes.ts";

Deno.test("decodePaths() reads UTF-8, and keeps the bytes of lines that are none", () => {
  const encoder = new TextEncoder();
  assertEquals(decodePaths(encoder.encode("/größer\n/\ufffd\n")), "/größer\n/\ufffd\n");
  const bytes = Uint8Array.from([...encoder.encode("/größer\n/m"), 0xe9, 0x2f, 0x61, 0x0a]);
  assertEquals(decodePaths(bytes), "/größer\n/m\udce9/a\n");
  assertEquals(encodePath("/m\udce9/a"), Uint8Array.from([0x2f, 0x6d, 0xe9, 0x2f, 0x61]));
  assertEquals(encodePath("/größer"), encoder.encode("/größer"));
});

Deno.test("encodePath() gives the bytes of every path that decodePaths() has read", () => {
  const byte = fc.integer({ min: 1, max: 255 }).filter((byte) => byte !== 0x0a);
  fc.assert(fc.property(fc.array(byte), (path) => {
    const bytes = Uint8Array.from(path);
    assertEquals(encodePath(decodePaths(bytes)), bytes);
  }));
});
