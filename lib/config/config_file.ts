import { UsageError } from "./usage_error.ts";
import { didYouMean } from "./nearest.ts";
import type { Option } from "./option.ts";
import { OPTIONS } from "./options.ts";
import { readOrRefuse, type ReadText } from "./sources.ts";

const ROWS: readonly Option<unknown>[] = Object.values(OPTIONS);

/**
 * The values of a JSON configuration file by their keys, as the text that a flag would have.
 *
 * Lists may be written as JSON arrays, and headers as an object. `null` stands for a key that is not
 * there. `options.option` is what has named the file.
 *
 * @throws {UsageError} When it is no object of plain values, or has a key that is not known.
 */
export function readConfigFile(
  path: string | undefined,
  options: { option: string; readText: ReadText },
): Map<string, string> {
  const values = new Map<string, string>();
  if (!path) return values;
  const text = readOrRefuse(options.option, path, options.readText);
  const parsed = parseJsonObject(text, `${options.option} ${path}`);
  for (const [key, value] of Object.entries(parsed)) {
    const option = ROWS.find((row) => row.key === key);
    if (option === undefined) {
      throw new UsageError(
        `Cannot use key "${key}" of ${path}: there is none of that name${hintFor(key)}`,
      );
    }
    if (value === null) continue;
    const words = wordsOf(value, option);
    if (words === undefined) {
      const allowed = option === OPTIONS.header
        ? "a text, an array or an object of headers, a line each"
        : "a plain value";
      throw new UsageError(`Cannot use key "${key}" of ${path}: allowed is ${allowed}`);
    }
    values.set(key, words.join(option.separator ?? ","));
  }
  return values;
}

/** The key of the flag that was meant, where it is not the same; else the nearest one. */
function hintFor(key: string): string {
  const flag = key.replaceAll("_", "-");
  const meant = ROWS.find((row) => row.flag === flag)?.key;
  if (meant !== undefined) return `; did you mean ${meant}?`;
  return didYouMean(key, ROWS.flatMap((row) => row.key ?? []));
}

/** A value's parts as text; `undefined` when it is none that an option can take. */
function wordsOf(value: unknown, option: Option<unknown>): string[] | undefined {
  if (!isNested(value)) return [String(value)];
  const separator = option.separator ?? ",";
  const words: unknown[] = Array.isArray(value)
    ? value
    : option === OPTIONS.header
    ? Object.entries({ ...value }).map(([name, text]) => isNested(text) ? text : `${name}: ${text}`)
    : [undefined];
  const plain = words.every((word) => word !== undefined && !isNested(word));
  // A line feed within a header would make two of it.
  if (!plain || (separator === "\n" && words.some((word) => /[\r\n]/.test(String(word))))) {
    return undefined;
  }
  return words.map(String);
}

function isNested(value: unknown): value is object | null {
  return typeof value === "object";
}

function parseJsonObject(text: string, name: string): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    // The parser's own message quotes the text, and the text may hold the token.
    throw new UsageError(`Cannot use ${name}: it is no valid JSON`, {
      cause: error instanceof SyntaxError ? undefined : error,
    });
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
    throw new UsageError(`Cannot use ${name}: allowed is one JSON object`);
  }
  return { ...parsed };
}
