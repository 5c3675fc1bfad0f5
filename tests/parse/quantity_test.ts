import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { counted, duration, formatByteCount, parseByteCount } from "../../lib/parse/quantity.ts";
import { same } from "../cases.ts";

Deno.test("parseByteCount() reads numbers of bytes with and without units, of any case", async () => {
  fc.assert(fc.property(fc.maxSafeNat(), (bytes) => {
    assertEquals(parseByteCount(String(bytes)), bytes);
  }));
  await same(parseByteCount, [
    ["12.5GiB", 12.5 * 1024 ** 3],
    [" 300 gb ", 300e9],
    ["0.3B", 0],
  ]);
  const units = {
    ...{ B: 1, K: 1e3, KB: 1e3, M: 1e6, MB: 1e6, G: 1e9, GB: 1e9, T: 1e12, TB: 1e12 },
    ...{ KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 },
  };
  for (const [unit, bytes] of Object.entries(units)) {
    assertEquals(parseByteCount(`3${unit}`), 3 * bytes, unit);
  }
  const others = ["", "GB", "-1", "1e3", "1,5GB", "1 PB", "1GBit", "0x10", "9007199254740993"];
  for (const text of [...others, "1..5"]) {
    assertThrows(() => parseByteCount(text), RangeError, "12.5GiB", text);
  }
});

Deno.test("formatByteCount(), duration() and counted() use the largest unit that gives at least 1", async () => {
  await same(formatByteCount, [
    [1023, "1023 B"],
    [1024, "1.0 KiB"],
    [12.5 * 1024 ** 3, "12.5 GiB"],
    [1.5 * 1024 ** 4, "1.5 TiB"],
    [5000 * 1024 ** 5, "5000.0 PiB"],
  ]);
  await same(duration, [
    [-5, "0.0 s"],
    [440, "0.4 s"],
    [42_900, "42 s"],
    [5 * 60_000, "5 min"],
    [3.9 * 3_600_000, "3 h"],
    [50 * 3_600_000, "2 d"],
  ]);
  assertEquals([counted(1, "time"), counted(2, "time")], ["1 time", "2 times"]);
});
