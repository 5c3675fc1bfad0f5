import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { parseNvidiaSmi } from "../../lib/parse/nvidia_smi.ts";
import { same } from "../cases.ts";

const MEBIBYTE = 1024 * 1024;

Deno.test("parseNvidiaSmi() leaves out values that a card does not report, or that are out of range", async () => {
  const mib = (total: number, used: number) => ({
    memory: { totalBytes: total * MEBIBYTE, usedBytes: used * MEBIBYTE },
  });
  await same((line) => parseNvidiaSmi(line)[0], [
    ["NVIDIA GB10, [N/A], [N/A], 3, 41", {
      name: "NVIDIA GB10",
      usePercent: 3,
      temperatureCelsius: 41,
    }],
    [
      "GeForce GT 710, 978, 1, [Not Supported], 38",
      { name: "GeForce GT 710", ...mib(978, 1), temperatureCelsius: 38 },
    ],
    ["Orin (nvgpu), N/A, N/A, N/A, N/A", { name: "Orin (nvgpu)" }],
    ["[Unknown Error], [Unknown Error], 0, [GPU is lost], [Unknown Error]", { name: "NVIDIA" }],
    ["X, 0, 0, 101, 1000", { name: "X" }],
    ["X, -1, 5, -1, -274", { name: "X" }],
    ["X, 10, 11, 100, -5", { name: "X", ...mib(10, 10), usePercent: 100, temperatureCelsius: -5 }],
  ]);
});

Deno.test("parseNvidiaSmi() skips other lines", () => {
  const text = "WARNING: infoROM is corrupted at gpu 0000:3B:00.0\r\n" +
    "\nOdd, but true, 8192, 1024, 7, 50\r\n, 1, 1, 1, 1\nX, 1, 1, 1\nX, 1, 1, one, 1\n" +
    "X, 1e9, 1, 1, 1\nX, 99999999999999, 1, 1, 1\n";
  assertEquals(parseNvidiaSmi(text).map(({ name }) => name), ["Odd, but true"]);
  assertEquals(parseNvidiaSmi(`${"x".repeat(500)}, 1, 1, 1, 1`)[0]?.name.length, 100);
});

Deno.test("parseNvidiaSmi() gives bounded values for any text, or throws a SyntaxError", () => {
  const field = fc.oneof(
    fc.constantFrom("[N/A]", "[Not Supported]", "N/A", "", "-", "1e5", "0x10", "NaN", "Infinity"),
    fc.integer().map(String),
    fc.double().map(String),
    fc.string({ maxLength: 6 }),
  );
  const line = fc.oneof(
    fc.array(field, { maxLength: 8 }).map((fields) => fields.join(", ")),
    fc.constant("A, 100, 10, 5, 40"),
  );
  let seen = 0;
  fc.assert(
    fc.property(fc.array(line, { maxLength: 4 }), (lines) => {
      try {
        for (const card of parseNvidiaSmi(lines.join("\n"))) {
          seen++;
          assert(card.name.length > 0 && card.name.length <= 100);
          const { usePercent = 0, temperatureCelsius = 0, memory } = card;
          assert(usePercent >= 0 && usePercent <= 100);
          assert(temperatureCelsius > -273 && temperatureCelsius < 1000);
          const { totalBytes, usedBytes } = memory ?? { totalBytes: 1, usedBytes: 0 };
          assert(Number.isSafeInteger(totalBytes) && totalBytes > 0);
          assert(Number.isSafeInteger(usedBytes) && usedBytes >= 0 && usedBytes <= totalBytes);
        }
      } catch (error) {
        assert(error instanceof SyntaxError, String(error));
      }
    }),
    { numRuns: 500 },
  );
  assert(seen > 0, "nothing was a card");
  for (const text of ["", "\n\n", "No devices were found\n", "\0", ",,,,", "name, memory.total"]) {
    assertThrows(() => parseNvidiaSmi(text), SyntaxError, "Cannot parse nvidia-smi", text);
  }
});
