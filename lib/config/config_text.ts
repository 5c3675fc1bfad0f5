import type { Option } from "./option.ts";
import { OPTIONS } from "./options.ts";

const ROWS: readonly Option<unknown>[] = Object.values(OPTIONS);

/**
 * A configuration file with what was given, by its keys: switches and numbers as such, lists as
 * arrays, everything else as text.
 */
export function configText(given: ReadonlyMap<string, string>): string {
  const entries = Array.from(given, ([key, text]) => [key, typed(key, text)]);
  return JSON.stringify(Object.fromEntries(entries), null, 2) + "\n";
}

function typed(key: string, text: string): unknown {
  const option = ROWS.find((row) => row.key === key);
  const value: unknown = option?.parse(text);
  if (typeof value === "boolean" || typeof value === "number") return value;
  const isList = Array.isArray(value) && value.every((word) => typeof word === "string");
  return isList ? value : text;
}
