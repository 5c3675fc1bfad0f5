import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { BoundedOutput, OutputReader } from "../../lib/host/bounded_output.ts";

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

/** A program's output: `print` fills a chunk, or throws as a pipe that breaks. */
function outputOf(print: (chunk: number) => string): ReadableStream<Uint8Array<ArrayBuffer>> {
  let chunks = 0;
  return new ReadableStream({
    type: "bytes",
    pull(controller) {
      controller.enqueue(new TextEncoder().encode(print(chunks++)));
    },
  });
}

Deno.test("OutputReader lets others have their turn while a program prints without end", async () => {
  let printed = 0;
  const endless = outputOf(() => (printed++, "x".repeat(1024)));
  const reader = new OutputReader(endless, new BoundedOutput(10));
  await new Promise((resolve) => setTimeout(resolve, 0));
  assert(printed > 0 && printed < 40, `${printed} chunks`);
  await reader.cancel();
  assertEquals(reader.output.text(100), "x".repeat(10));
});

Deno.test("OutputReader takes a pipe that breaks for the end of the output", async () => {
  const reader = new OutputReader(
    outputOf((chunk) => {
      if (chunk === 2) throw new Error("broken pipe");
      return `${chunk}\n`;
    }),
    new BoundedOutput(100),
  );
  await reader.ended;
  assertEquals([reader.output.text(100), reader.output.totalBytes], ["0\n1\n", 4]);
});
