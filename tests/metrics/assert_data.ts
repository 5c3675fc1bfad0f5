import { assertEquals } from "@std/assert";

/** Compares values; a field that is `undefined` equals an absent one. */
export function assertDataEquals<T>(actual: T, expected: NoInfer<T>, message?: string): void {
  assertEquals(withoutUndefined(actual), withoutUndefined(expected), message);
}

function withoutUndefined(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutUndefined);
  if (typeof value !== "object" || value === null || value instanceof Map) return value;
  const defined = Object.entries(value).filter(([, field]) => field !== undefined);
  return Object.fromEntries(defined.map(([key, field]) => [key, withoutUndefined(field)]));
}
