import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { quoteStart, truncate } from "../../lib/parse/bounded_text.ts";

Deno.test("truncate() leaves a text that fits, and cuts another with an ellipsis", () => {
  assertEquals(truncate("12345", 5), "12345");
  assertEquals(truncate("123456", 5), "1234…");
});

Deno.test("truncate() is bounded and leaves no half of a character", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), fc.integer({ min: 1, max: 20 }), (text, max) => {
      const cut = truncate(text, max);
      assertEquals(cut.length <= max && cut.isWellFormed(), true);
    }),
  );
});

Deno.test("quoteStart() quotes the start in one line", () => {
  assertEquals(quoteStart('a "b"\n\u0007'), '"a \\"b\\"\\n\\u0007"');
  assertEquals(quoteStart("x".repeat(50)), JSON.stringify("x".repeat(39) + "…"));
  assertEquals(quoteStart("x".repeat(50), 3), '"xx…"');
});
