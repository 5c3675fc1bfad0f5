import { didYouMean } from "./command_line.ts";
import type { Option } from "./option.ts";
import { readOrRefuse, type ReadText } from "./option_lookup.ts";
import { OPTIONS } from "./option_table.ts";
import { UsageError } from "./usage_error.ts";

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

/**
 * Options by which root makes folders, reads files and takes programs from somewhere, by their keys.
 *
 * The configuration of a service belongs to its user, who could have written anything there. What
 * root goes by must have another source.
 */
export const ROOT_KEYS: readonly string[] = [
  "state_dir",
  "update_url",
  "mirror",
  "ca_cert",
  "token_file",
];

/** Divides a configuration that is not this user's own: what counts, and what does not. */
export function passOverRootKeys(
  file: ReadonlyMap<string, string>,
): { file: Map<string, string>; passedOver: Map<string, string> } {
  const isRoots = ([key]: [string, string]) => ROOT_KEYS.includes(key);
  return {
    file: new Map([...file].filter((entry) => !isRoots(entry))),
    passedOver: new Map([...file].filter(isRoots)),
  };
}
