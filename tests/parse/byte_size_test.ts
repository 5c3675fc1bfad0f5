import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { formatByteCount, parseByteCount } from "../../lib/parse/byte_size.ts";

Deno.test("parseByteCount() accepts decimal and binary units, case-insensitively", () => {
  const table: Record<string, number> = {
    "0": 0,
    "1048576": 1048576,
    "1b": 1,
    "12.5GiB": 12.5 * 1024 ** 3,
    "300GB": 300e9,
    " 300 gb ": 300e9,
    "1.5k": 1500,
    "2T": 2e12,
    "0.3B": 0,
  };
  for (const [text, bytes] of Object.entries(table)) {
    assertEquals(parseByteCount(text), bytes, text);
  }
});

Deno.test("parseByteCount() knows each unit", () => {
  const units = {
    ...{ B: 1, K: 1e3, KB: 1e3, M: 1e6, MB: 1e6, G: 1e9, GB: 1e9, T: 1e12, TB: 1e12 },
    ...{ KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 },
  };
  for (const [unit, bytes] of Object.entries(units)) {
    assertEquals(parseByteCount(`3${unit}`), 3 * bytes, unit);
  }
});

Deno.test("parseByteCount() throws for any other text", () => {
  const texts = [
    "",
    "GB",
    "-1",
    "1e3",
    "1,5GB",
    "1 PB",
    "1GBit",
    "0x10",
    "9007199254740993",
    "1..5",
  ];
  for (const text of texts) {
    assertThrows(() => parseByteCount(text), RangeError, "12.5GiB", text);
  }
});

Deno.test("formatByteCount() uses the largest unit that gives at least 1", () => {
  assertEquals(formatByteCount(1023), "1023 B");
  assertEquals(formatByteCount(1024), "1.0 KiB");
  assertEquals(formatByteCount(12.5 * 1024 ** 3), "12.5 GiB");
  const units = ["KiB", "MiB", "GiB", "TiB", "PiB"];
  for (const [index, unit] of units.entries()) {
    assertEquals(formatByteCount(1.5 * 1024 ** (index + 1)), `1.5 ${unit}`);
  }
  assertEquals(formatByteCount(5000 * 1024 ** 5), "5000.0 PiB");
});

Deno.test("parseByteCount() reads a plain number of bytes", () => {
  fc.assert(fc.property(fc.maxSafeNat(), (bytes) => {
    assertEquals(parseByteCount(String(bytes)), bytes);
  }));
});
