import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { AbridgedBytes } from "../../lib/io/abridged_bytes.ts";

const EDGE_BYTES = 4096;

Deno.test("AbridgedBytes keeps all up to the limit, and both ends of more, however they are split", () => {
  const lengths = fc.array(fc.integer({ min: 0, max: 6000 }), { maxLength: 12 });
  fc.assert(fc.property(lengths, (lengths) => {
    const all = new Uint8Array(lengths.reduce((sum, length) => sum + length, 0));
    for (let at = 0; at < all.length; at++) all[at] = at % 251;
    const bytes = new AbridgedBytes(10_000);
    let from = 0;
    for (const length of lengths) bytes.add(all.slice(from, from += length));
    assertEquals(bytes.length, all.length);
    if (all.length <= 10_000) {
      assertEquals([bytes.abridged, bytes.bytes], [undefined, all]);
    } else {
      assertEquals(bytes.abridged, {
        head: all.slice(0, EDGE_BYTES),
        tail: all.slice(-EDGE_BYTES),
        lengthBytes: all.length,
      });
      assertEquals(bytes.bytes.length, 0, "the memory of the rest is free");
    }
    bytes.clear();
    assertEquals([bytes.length, bytes.abridged, bytes.bytes.length], [0, undefined, 0]);
  }));
});
