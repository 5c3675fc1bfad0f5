import { assertEquals, assertThrows } from "@std/assert";
import { parseArcstats, parseMeminfo } from "../../lib/parse/meminfo.ts";
import { onlySyntaxErrors } from "./only_syntax_errors.ts";

const OLD_KERNEL = `MemTotal:      2059500 kB
MemFree:        119388 kB
Buffers:        205944 kB
Cached:         966712 kB
SwapCached:         12 kB
SwapTotal:     2031608 kB
SwapFree:      2031484 kB
`;

Deno.test("parseMeminfo() reads a captured file, in bytes", () => {
  const text = Deno.readTextFileSync("tests/fixtures/docker-kvm/proc/meminfo");
  const { totalBytes, availableBytes, swapTotalBytes, swapCachedBytes } = parseMeminfo(text);
  const available = 1024 * Number(/^MemAvailable: +(\d+) kB$/m.exec(text)?.[1]);
  assertEquals([totalBytes, availableBytes, swapTotalBytes, swapCachedBytes], [
    ...[25276502016, available, 0, 0],
  ]);
});

Deno.test("parseMeminfo() finds Cached before and after SwapCached", () => {
  const head = "MemTotal: 9 kB\nMemFree: 8 kB\n";
  assertEquals(parseMeminfo(`${head}SwapCached: 1 kB\nCached: 2 kB\n`).cachedBytes, 2048);
  assertEquals(parseMeminfo(`${head}SwapCached: 1 kB\n`).cachedBytes, undefined);
});

const table = [
  ["", 'no "MemTotal:"'],
  ["MemTotal: 5 kB\n", 'no "MemFree:" after "MemTotal: 5 kB"'],
  ["MemTotal: 5 kB\nMemFree:\n", '"MemFree:"'],
  ["MemTotal: 5 kB\nMemFree: many kB\n", '"MemFree: many kB"'],
  ["MemTotal: 5 MB\nMemFree: 5 kB\n", '"MemTotal: 5 MB"'],
  ["MemTotal: 5 kB\nMemFree: 5\n", '"MemFree: 5"'],
  ["MemTotal: -5 kB\nMemFree: 5 kB\n", '"MemTotal: -5 kB"'],
  ["MemTotal: 9007199254740991 kB\nMemFree: 5 kB\n", '"MemTotal: 9007199254740991 kB"'],
] as const;
Deno.test("parseMeminfo() throws a SyntaxError for any other text, and nothing else", () => {
  for (const [text, quoted] of table) assertThrows(() => parseMeminfo(text), SyntaxError, quoted);
  const captured = Deno.readTextFileSync("tests/fixtures/docker-kvm/proc/meminfo");
  onlySyntaxErrors(parseMeminfo, [captured, OLD_KERNEL]);
});

/** In the form of OpenZFS 2; lines of other counters left out. */
const ARCSTATS = `9 1 0x01 147 39984 7033712893 123456789012345
name                            type data
p                               4    8242135040
c_min                           4    1030266880
size                            4    12884901888
compressed_size                 4    10737418240
`;

Deno.test("parseArcstats() reads the size, and the least that ZFS keeps, and throws a SyntaxError for any other text", () => {
  assertEquals(parseArcstats(ARCSTATS), { sizeBytes: 12884901888, minimumBytes: 1030266880 });
  const rows = [
    ["", `"size" in ""`],
    [ARCSTATS.replace("\nsize ", "\nsighs "), `"size"`],
    [ARCSTATS.replace("1030266880", "many"), "c_min                           4    many"],
    [ARCSTATS.replace("4    12884901888", "12884901888"), "12884901888"],
    [ARCSTATS.replace("12884901888", "99999999999999999999"), "99999999999999999999"],
  ] as const;
  for (const [text, quoted] of rows) assertThrows(() => parseArcstats(text), SyntaxError, quoted);
  onlySyntaxErrors(parseArcstats, [ARCSTATS]);
});
