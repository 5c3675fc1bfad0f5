import { assert, assertThrows } from "@std/assert";
import fc from "fast-check";

/**
 * Checks that no text makes a parser throw anything but a SyntaxError, and that every number
 * it returns is finite and not negative: for any text, and for each of `samples` with pieces replaced.
 */
export function onlySyntaxErrors(parse: (text: string) => unknown, samples: string[]): void {
  const malformed = fc.tuple(
    fc.constantFrom(...samples),
    fc.nat(),
    fc.nat({ max: 40 }),
    fc.oneof(
      fc.string({ unit: "binary-ascii" }),
      fc.constantFrom(
        "-1",
        "18446744073709551615",
        "9".repeat(400),
        "nan",
        "",
        "\n",
        "1e999",
        "\u{1f4a9}\ufffd",
      ),
    ),
  ).map(([sample, seed, length, piece]) => {
    const at = seed % (sample.length + 1);
    return sample.slice(0, at) + piece + sample.slice(at + length);
  });
  const text = fc.oneof(fc.string({ unit: "binary-ascii" }), malformed);
  fc.assert(fc.property(text, (text) => checkNumbers(attempt(() => parse(text)))), {
    numRuns: 500,
  });
}

/** Asserts that a parser throws for each of these lines, and quotes it. */
export function throwsFor(parse: (text: string) => unknown, lines: readonly string[]): void {
  for (const line of lines) assertThrows(() => parse(`${line}\n`), SyntaxError, `"${line}"`);
}

function attempt(parse: () => unknown): unknown {
  try {
    return parse();
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function checkNumbers(value: unknown): void {
  if (typeof value === "number") assert(Number.isFinite(value) && value >= 0, `got ${value}`);
  else if (typeof value === "object" && value !== null) Object.values(value).forEach(checkNumbers);
}
