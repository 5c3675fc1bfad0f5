import { assertEquals, assertThrows } from "@std/assert";
import { darwinMemory } from "../../lib/metrics/machine_darwin.ts";
import type { MemoryMode } from "../../lib/types.ts";
import { fakeSource } from "./fake_host.ts";

const INFO = { total: 1_000_000, free: 100_000, available: 400_000, swapTotal: 50, swapFree: 20 };
const VM_STAT = `Mach Virtual Memory Statistics: (page size of 1000 bytes)
Pages wired down:          120.
Pages purgeable:            10.
Anonymous pages:           300.
Pages occupied by compressor:  40.
`;

Deno.test("darwinMemory() counts in mode htop as Activity Monitor does, and without vm_stat in others", () => {
  const rows: [MemoryMode, string | undefined, changed: Partial<typeof INFO>, ...unknown[]][] = [
    ["htop", VM_STAT, {}, 450_000, 30],
    ["available", "vm_stat: no", {}, 600_000, 30],
    ["all", "vm_stat: no", {}, 900_000, 30],
    ["htop", undefined, {}, undefined, 30],
    ["htop", VM_STAT, { total: 0 }, undefined, 30],
    ["htop", VM_STAT, { total: 1_000, swapFree: 60 }, 1_000, 0],
  ];
  const measure = (mode: MemoryMode, text: string | undefined, changed = {}) =>
    darwinMemory({ memory: () => ({ ...INFO, ...changed }) }, fakeSource(() => text), mode);
  for (const [mode, text, changed, ...used] of rows) {
    const { memory, swap } = measure(mode, text, changed);
    assertEquals([memory?.usedBytes, swap?.usedBytes], used, mode);
  }
  assertThrows(() => measure("htop", "vm_stat: no"), SyntaxError);
});
