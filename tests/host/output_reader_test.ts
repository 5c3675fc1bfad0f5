import { assert, assertEquals } from "@std/assert";
import { BoundedBytes } from "../../lib/io/bounded_bytes.ts";
import { OutputReader } from "../../lib/host/output_reader.ts";

function textOf({ output }: OutputReader<BoundedBytes>): string {
  return new TextDecoder().decode(output.bytes);
}

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
  const reader = new OutputReader(endless, new BoundedBytes(10));
  await new Promise((resolve) => setTimeout(resolve, 0));
  assert(printed > 0 && printed < 40, `${printed} chunks`);
  await reader.cancel();
  assertEquals(textOf(reader), "x".repeat(10));
});

Deno.test("OutputReader takes a pipe that breaks for the end of the output", async () => {
  const reader = new OutputReader(
    outputOf((chunk) => {
      if (chunk === 2) throw new Error("broken pipe");
      return `${chunk}\n`;
    }),
    new BoundedBytes(100),
  );
  await reader.ended;
  assertEquals(textOf(reader), "0\n1\n");
});
