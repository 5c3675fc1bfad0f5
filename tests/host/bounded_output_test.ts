import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { BoundedOutput } from "../../lib/host/bounded_output.ts";

Deno.test("BoundedOutput.text() gives the beginning, whatever pieces it came in", () => {
  const pieces = fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 20 });
  fc.assert(fc.property(pieces, fc.integer({ min: 1, max: 300 }), (pieces, limit) => {
    const kept = new BoundedOutput(limit);
    for (const piece of pieces) kept.add(piece);
    const all = Uint8Array.from(pieces.flatMap((piece) => [...piece]));
    assertEquals(kept.totalBytes, all.length);
    assertEquals(kept.keptBytes, Math.min(limit, all.length));
    const expected = new TextDecoder().decode(all.subarray(0, limit), {
      stream: limit < all.length,
    });
    assertEquals(kept.text(limit), expected);
  }));
});

Deno.test("BoundedOutput.text() never splits a character", () => {
  const text = "aé€𝄞".repeat(10);
  const bytes = new TextEncoder().encode(text);
  const kept = new BoundedOutput(bytes.length);
  kept.add(bytes);
  for (let limit = 0; limit <= bytes.length; limit++) {
    assertEquals(text.startsWith(kept.text(limit)), true, `at ${limit}`);
  }
  assertEquals(kept.text(bytes.length), text);
});

Deno.test("BoundedOutput.text() replaces a character that was never finished", () => {
  const kept = new BoundedOutput(10);
  kept.add(Uint8Array.of(0x61, 0xe2, 0x82));
  assertEquals(kept.text(10), "a\ufffd");
});
