import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { parseMemoryStat } from "../../lib/parse/cgroup.ts";
import { onlySyntaxErrors } from "./only_syntax_errors.ts";

/** Captured from a kernel 6.18, the middle left out. */
const VERSION_1 = `cache 9420800
swap 0
inactive_anon 0
active_anon 1531904
inactive_file 12288
active_file 339968
unevictable 21778432
hierarchical_memory_limit 9223372036854771712
total_cache 991625216
total_swap 4096
total_swapcached 0
total_inactive_file 251277312
total_active_file 731283456
total_unevictable 21778432
`;

const VERSION_2 = `anon 818249728
file 991625216
kernel 30011392
slab 12345678
inactive_anon 803774464
active_anon 1671168
inactive_file 251277312
active_file 731283456
slab_reclaimable 9000000
slab_unreclaimable 3345678
workingset_refault_file 680180
`;

Deno.test("parseMemoryStat() reads version 1 with the groups within", () => {
  assertEquals(parseMemoryStat(VERSION_1, 1), {
    inactiveFileBytes: 251277312,
    activeFileBytes: 731283456,
    reclaimableBytes: undefined,
    swapBytes: 4096,
  });
});

Deno.test("parseMemoryStat() reads version 2", () => {
  assertEquals(parseMemoryStat(VERSION_2, 2), {
    inactiveFileBytes: 251277312,
    activeFileBytes: 731283456,
    reclaimableBytes: 9000000,
    swapBytes: undefined,
  });
});

Deno.test("parseMemoryStat() finds a counter in the first line too", () => {
  assertEquals(parseMemoryStat("inactive_file 5\nactive_file 7", 2).inactiveFileBytes, 5);
});

for (
  const [text, quoted] of [
    ["", `"inactive_file" after ""`],
    ["anon 5\ninactive_file 5\n", `"active_file" after "anon 5"`],
    ["inactive_file x\nactive_file 5\n", `"inactive_file x"`],
    ["inactive_file 5\nactive_file -5\n", `"active_file -5"`],
    ["inactive_file 5\nactive_file 5\nslab_reclaimable \n", `"slab_reclaimable "`],
  ] as const
) {
  Deno.test(`parseMemoryStat() throws when the text is ${JSON.stringify(text)}`, () => {
    assertThrows(() => parseMemoryStat(text, 2), SyntaxError, quoted);
  });
}

Deno.test("parseMemoryStat() throws nothing but SyntaxError", () => {
  onlySyntaxErrors((text) => parseMemoryStat(text, 1), [VERSION_1]);
  onlySyntaxErrors((text) => parseMemoryStat(text, 2), [VERSION_2]);
});

Deno.test("parseMemoryStat() reads back what the kernel would write", () => {
  fc.assert(fc.property(fc.maxSafeNat(), fc.maxSafeNat(), (inactive, active) => {
    const text = `anon 1\nactive_file ${active}\ninactive_file ${inactive}\n`;
    const stat = parseMemoryStat(text, 2);
    assertEquals([stat.inactiveFileBytes, stat.activeFileBytes], [inactive, active]);
  }));
});
