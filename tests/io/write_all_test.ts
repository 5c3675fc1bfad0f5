import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { writeAll, writeAllSync } from "../../lib/io/write_all.ts";

const BYTES = Uint8Array.from({ length: 10 }, (_, index) => index);

/** Takes three bytes a write, as a pipe or a socket that is almost full may. */
class SlowSink {
  readonly written: number[] = [];
  writes = 0;

  writeSync(bytes: Uint8Array): number {
    this.writes++;
    this.written.push(...bytes.subarray(0, 3));
    return Math.min(bytes.length, 3);
  }

  write(bytes: Uint8Array): Promise<number> {
    return Promise.resolve(this.writeSync(bytes));
  }
}

Deno.test("writeAll() writes until all bytes are taken, in order", async () => {
  const sink = new SlowSink();
  await writeAll(sink, BYTES);
  assertEquals([sink.written, sink.writes], [[...BYTES], 4]);
});

Deno.test("writeAllSync() writes until all bytes are taken, in order", () => {
  const sink = new SlowSink();
  writeAllSync(sink, BYTES);
  assertEquals([sink.written, sink.writes], [[...BYTES], 4]);
});

Deno.test("writeAll() and writeAllSync() pass on the error of a write", async () => {
  const full = () => {
    throw new Deno.errors.BrokenPipe("full");
  };
  await assertRejects(
    () => writeAll({ write: () => Promise.resolve().then(full) }, BYTES),
    Deno.errors.BrokenPipe,
  );
  assertThrows(() => writeAllSync({ writeSync: full }, BYTES), Deno.errors.BrokenPipe);
});
