import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { CommandOutputs } from "../../lib/remote/command_output.ts";

/** A pipe that ends at once. */
function closedPipe(): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new ReadableStream({ type: "bytes", start: (it) => it.close() });
}

Deno.test("CommandOutputs keeps the beginnings of all outputs, and cuts the longest first", () => {
  const limitBytes = 10_000;
  const writes = fc.array(fc.tuple(fc.nat(4), fc.integer({ min: 1, max: 3000 })), {
    maxLength: 40,
  });
  fc.assert(fc.property(writes, (writes) => {
    const outputs = new CommandOutputs({ limitBytes });
    const all = Array.from({ length: 5 }, () => outputs.read(closedPipe()));
    const written = all.map(() => "");
    for (const [index, length] of writes) {
      const text = Array.from({ length }, (_, at) => String.fromCharCode(97 + at % 26)).join("");
      all[index]?.add(new TextEncoder().encode(text));
      written[index] += text;
      assert(all.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0) <= limitBytes);
    }
    all.forEach((output, index) => {
      const text = Array.from(output.pieces(Infinity)).join("");
      assertEquals([text.length, output.totalBytes], [output.keptBytes, written[index]?.length]);
      assert(written[index]?.startsWith(text));
    });
  }));
});

Deno.test("CommandOutputs shares its bound by halves when two print without end", () => {
  const outputs = new CommandOutputs({ limitBytes: 1024 * 1024 });
  const [one, two, late] = [1, 2, 3].map(() => outputs.read(closedPipe()));
  const piece = new Uint8Array(16 * 1024);
  for (let n = 0; n < 1000; n++) for (const it of [one, two]) it?.add(piece);
  const [a = 0, b = 0] = [one?.keptBytes, two?.keptBytes];
  assert(a + b > 900 * 1024 && Math.abs(a - b) <= 64 * 1024, `${a} and ${b}`);
  // One that comes later takes from both, and what was sent leaves room.
  for (let n = 0; n < 10; n++) late?.add(piece);
  assertEquals(late?.keptBytes, 10 * piece.length);
  if (one) outputs.release(one);
  for (let n = 0; n < 20; n++) late?.add(piece);
  assertEquals(late?.keptBytes, 30 * piece.length);
});

Deno.test("CommandOutputs reads on for background jobs, and closes the oldest of 257 pipes", async () => {
  const outputs = new CommandOutputs();
  const open = Array.from({ length: 257 }, () => {
    const state = { isClosed: false };
    const pipe = new ReadableStream<Uint8Array<ArrayBuffer>>({
      type: "bytes",
      cancel: () => void (state.isClosed = true),
    });
    outputs.drain(outputs.read(pipe));
    return state;
  });
  await Promise.resolve();
  assertEquals(open.map(({ isClosed }) => isClosed).indexOf(false), 1);
  assertEquals(open.filter(({ isClosed }) => isClosed).length, 1);
  await outputs.close();
  assert(open.every(({ isClosed }) => isClosed));
});
