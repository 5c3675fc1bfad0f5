import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { BoundedBytes } from "../../lib/io/bounded_bytes.ts";

Deno.test("BoundedBytes.add() adds bytes up to the limit, and gives false beyond", () => {
  const part = fc.uint8Array({ maxLength: 700 });
  fc.assert(fc.property(fc.array(part), fc.nat({ max: 4000 }), (parts, limit) => {
    const gathered = new BoundedBytes(limit);
    let all: number[] = [];
    for (const part of parts) {
      assertEquals(gathered.add(part), all.length + part.length <= limit);
      all = [...all, ...part].slice(0, limit);
      assertEquals(gathered.length, all.length);
    }
    assertEquals([...gathered.bytes], all);
    assertEquals(gathered.bytes.buffer.byteLength <= limit, true);
    gathered.clear();
    assertEquals([gathered.length, gathered.bytes.length], [0, 0]);
    assertEquals(gathered.add(Uint8Array.of(7)), limit >= 1);
    assertEquals([...gathered.bytes], limit >= 1 ? [7] : []);
  }));
});

Deno.test("BoundedBytes takes at most twice the memory of its bytes when they come one by one", () => {
  const gathered = new BoundedBytes(1024 * 1024);
  const buffers = new Set<ArrayBuffer>();
  for (let count = 0; count < 100_000; count++) {
    gathered.add(Uint8Array.of(count));
    buffers.add(gathered.bytes.buffer);
  }
  assertEquals(gathered.length, 100_000);
  assertEquals(gathered.bytes.buffer.byteLength < 200_000, true);
  assertEquals(buffers.size < 20, true, "it grows by much at a time");
});

Deno.test("BoundedBytes frees memory at once when it grows and when it is cleared", () => {
  const gathered = new BoundedBytes(1024 * 1024);
  gathered.add(new Uint8Array(10_000));
  const first = gathered.bytes.buffer;
  gathered.add(new Uint8Array(20_000));
  const second = gathered.bytes.buffer;
  assertEquals([first.detached, second.detached], [true, false]);
  gathered.clear();
  assertEquals(second.detached, true);
});
