import { assert, assertEquals } from "@std/assert";

/** Asserts what a function makes of each input; a wrong one is named. */
export function same<I>(
  of: (input: I) => unknown,
  rows: Iterable<readonly [input: I, expected: unknown]>,
): void {
  for (const [input, expected] of rows) {
    const result = of(input);
    assert(!(result instanceof Promise), "a function that waits is for sameLater()");
    assertEquals(result, expected, nameOf(input));
  }
}

/** As {@linkcode same}, of a function that waits. */
export async function sameLater<I>(
  of: (input: I) => Promise<unknown>,
  rows: Iterable<readonly [input: I, expected: unknown]>,
): Promise<void> {
  for (const [input, expected] of rows) assertEquals(await of(input), expected, nameOf(input));
}

function nameOf(input: unknown): string {
  return typeof input === "string" ? input : Deno.inspect(input);
}

/** Cases in a text: an input a line, and `→ expected` at its end or on the next line. */
export function cases(text: string): [input: string, expected: string][] {
  return text.trim().split(/\n(?!\s*→)/).map((line) => {
    const [input = "", expected = ""] = line.split("→");
    return [input.trim(), expected.trim()];
  });
}
