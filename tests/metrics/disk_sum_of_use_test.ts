import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { hasSameUsage, sumUsage } from "../../lib/metrics/disk.ts";

function use(blocks: number, freeBlocks: number, blockSizeBytes = 1) {
  return { blockSizeBytes, blocks, freeBlocks, availableBlocks: freeBlocks };
}

Deno.test("sumUsage() has no data where nothing answered", () => {
  assertEquals(sumUsage([]), undefined);
});

Deno.test("sumUsage() counts what is reserved for root as free, as df does in Used", () => {
  const reserved = { blockSizeBytes: 4096, blocks: 100, freeBlocks: 40, availableBlocks: 35 };
  assertEquals(sumUsage([{ use: reserved }]), { totalBytes: 409_600, usedBytes: 245_760 });
});

Deno.test("sumUsage() counts a pool's free space once", () => {
  const answers = [
    { use: use(1_000, 900), pool: "tank" },
    { use: use(950, 900), pool: "tank" },
    // A quota leaves this one less than the pool has.
    { use: use(30, 10), pool: "tank" },
    { use: use(500, 400), pool: "rpool" },
    { use: use(70, 30) },
  ];
  assertEquals(sumUsage(answers), {
    totalBytes: (100 + 50 + 20 + 900) + (100 + 400) + 70,
    usedBytes: (100 + 50 + 20) + 100 + 40,
  });
});

function totalBytesOf({ blocks, blockSizeBytes }: ReturnType<typeof use>): number {
  return blocks * blockSizeBytes;
}

function usedBytesOf({ blocks, freeBlocks, blockSizeBytes }: ReturnType<typeof use>): number {
  return Math.max(0, blocks - freeBlocks) * blockSizeBytes;
}

Deno.test("sumUsage() never uses more than there is nor less than nothing", () => {
  const count = fc.nat({ max: 2 ** 31 });
  const answer = fc.record({
    use: fc.record({
      blockSizeBytes: fc.constantFrom(512, 4096, 131_072),
      ...{ blocks: count, freeBlocks: count, availableBlocks: count },
    }),
    pool: fc.constantFrom(undefined, "tank", "rpool"),
  });
  fc.assert(fc.property(fc.array(answer, { minLength: 1 }), (answers) => {
    const sum = sumUsage(answers);
    const usedBytes = answers.reduce((sum, { use }) => sum + usedBytesOf(use), 0);
    const pools = Map.groupBy(answers, ({ pool }, index) => pool ?? index);
    const freeBytes = [...pools.values()].reduce(
      (sum, pooled) =>
        sum + Math.max(...pooled.map(({ use }) => totalBytesOf(use) - usedBytesOf(use))),
      0,
    );
    assertEquals(sum, { totalBytes: usedBytes + freeBytes, usedBytes });
  }));
});

Deno.test("hasSameUsage() bears what is written between two answers, not another size", () => {
  assertEquals(hasSameUsage(use(10_000, 500), use(10_000, 505)), true);
  assertEquals(hasSameUsage(use(10_000, 500), use(10_000, 600)), false);
  assertEquals(hasSameUsage(use(10_000, 500), use(10_001, 500)), false);
  assertEquals(hasSameUsage(use(10_000, 500, 512), use(10_000, 500, 4096)), false);
});
