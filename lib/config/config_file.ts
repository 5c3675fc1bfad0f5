import { errorCode } from "../attempt.ts";
import { parse as parseJsonc } from "@std/jsonc";
import { isJsonObject, type JsonObject } from "../parse/json.ts";
import { type Option, type OptionTexts, parseSwitch } from "./option.ts";
import { OPTION_ROWS, OPTIONS } from "./option_table.ts";
import { didYouMean, UsageError } from "./usage_error.ts";

/** Reads a file's text. @throws When it can't. */
export type ReadText = (path: string) => string;

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "no such file",
  EACCES: "permission denied",
  EISDIR:
    "it is a folder \u2192 put the file there; Docker makes a folder where the host has no file to mount",
  ENOTDIR: "no such file",
};

/**
 * The text of the file that an option names.
 *
 * @throws {UsageError} When it can't be read; the message has `option` and `path`, once each.
 */
export function readOptionFile(option: string, path: string, readText: ReadText): string {
  try {
    // Editors of Windows begin a file with a mark of its encoding.
    return readText(path).replace(/^\ufeff/, "");
  } catch (error) {
    const reason = REASONS[errorCode(error)] ??
      (error instanceof Error ? error.message : String(error));
    throw new UsageError(`Cannot read ${option} ${path}: ${reason}`, { cause: error });
  }
}

/**
 * The values of a configuration file by their keys, as the text that a flag would have.
 *
 * The file is JSON, which may have comments and trailing commas. Lists may be written as JSON arrays,
 * and headers as an object. `null` stands for a key that is not there. `options.option` says in
 * messages what has named the path.
 *
 * @throws {UsageError} When it is no object of plain values, or has a key that is not known.
 */
export function readConfigFile(
  path: string | undefined,
  options: { option: string; readText: ReadText },
): Map<string, string> {
  const values = new Map<string, string>();
  if (!path) return values;
  const text = readOptionFile(options.option, path, options.readText);
  const parsed = parseConfigObject(text, `${options.option} ${path}`);
  for (const [key, value] of Object.entries(parsed)) {
    const option = OPTION_ROWS.find((row) => row.key === key);
    if (option === undefined) {
      throw new UsageError(`Cannot use key "${key}" of ${path}: no such key${hintFor(key)}`);
    }
    if (value === null) continue;
    if (option === OPTIONS.panels) {
      values.set(key, JSON.stringify(value));
      continue;
    }
    const words = wordsOf(value, option);
    if (words === undefined) {
      const allowed = option === OPTIONS.headers
        ? "a text, an array or an object of headers, a line each"
        : "a plain value";
      throw new UsageError(`Cannot use key "${key}" of ${path}: expected ${allowed}`);
    }
    values.set(key, words.join(option.separator ?? ","));
  }
  return values;
}

/**
 * Four digits that differ for almost all other settings of a file: with them a running agent shows which it
 * has, in a file that everybody may read. Of a secret they have the length: a weak one could be guessed by more.
 */
export function settingsDigest(texts: OptionTexts): string {
  const isSecret = (name: string) => OPTION_ROWS.some(({ key, secret }) => key === name && secret);
  const shown = [...texts].map(([key, text]) => [key, isSecret(key) ? text.length : text]);
  let hash = 0;
  for (const character of JSON.stringify(shown.sort())) {
    hash = (hash * 31 + character.charCodeAt(0)) % 65_521;
  }
  return hash.toString(16).padStart(4, "0");
}

/** Suggests the key of the flag that `key` spells, or the nearest key. */
function hintFor(key: string): string {
  const flag = key.replaceAll("_", "-");
  const meant = OPTION_ROWS.find((row) => row.flag === flag)?.key;
  if (meant !== undefined) return `; did you mean ${meant}?`;
  return didYouMean(key, OPTION_ROWS.flatMap((row) => row.key ?? []));
}

/** A value's parts as text; `undefined` when it is none that an option can take. */
function wordsOf(value: unknown, option: Option<unknown>): string[] | undefined {
  if (!isNested(value)) return [String(value)];
  const separator = option.separator ?? ",";
  const words: unknown[] = Array.isArray(value)
    ? value
    : option === OPTIONS.headers
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

export function parseConfigObject(text: string, name: string): JsonObject {
  let parsed: unknown;
  try {
    parsed = parseJsonc(text);
  } catch (error) {
    // The parser's own message quotes the text, and the text may hold the token.
    throw new UsageError(`Cannot use ${name}: ${syntaxProblem(text, error)}`, {
      cause: error instanceof SyntaxError ? undefined : error,
    });
  }
  if (!isJsonObject(parsed)) {
    throw new UsageError(`Cannot use ${name}: expected one JSON object`);
  }
  return parsed;
}

/** Names the place of a syntax error, without any of the text. */
function syntaxProblem(text: string, error: unknown): string {
  if (text.trim() === "") return "invalid JSON: it is empty";
  const message = error instanceof Error ? error.message : "";
  const [, position] = /at position (\d+)$/.exec(message) ?? [];
  if (position === undefined) return "invalid JSON: it ends too early";
  const before = text.slice(0, Number(position)).split("\n");
  const line = before.at(-1) ?? "";
  const place = `invalid JSON at line ${before.length}, column ${[...line].length + 1}`;
  // A comma that is missing is noticed at the next word.
  const isFirst = before.length > 1 && line.trim() === "";
  return isFirst ? `${place}, or at the end of line ${before.length - 1}` : place;
}

/**
 * The text of a configuration file with these options, by their keys: switches and numbers as such,
 * lists as arrays, everything else as text.
 */
export function configText(options: OptionTexts): string {
  const entries = Array.from(options, ([key, text]) => [key, jsonValue(key, text)]);
  return JSON.stringify(Object.fromEntries(entries), null, 2) + "\n";
}

/** The JSON value of an option's text, by its key. */
export function jsonValue(key: string, text: string): unknown {
  const option = OPTION_ROWS.find((row) => row.key === key);
  if (option === undefined) return text;
  if (option.placeholder === undefined) return parseSwitch(text);
  if (option === OPTIONS.panels) return JSON.parse(text);
  const value = option.parse(text);
  if (typeof value === "number") return value;
  const isList = Array.isArray(value) && value.every((word) => typeof word === "string");
  return isList ? value : text;
}
