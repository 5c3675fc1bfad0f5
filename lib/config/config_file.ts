import { UsageError } from "../errors.ts";
import { didYouMean } from "./nearest.ts";
import { OPTIONS } from "./options.ts";

/** Reads a file's text. @throws When it can't. */
export type ReadText = (path: string) => string;

/**
 * The values of a JSON configuration file by their keys, as the text that a flag would have.
 *
 * Lists may be written as JSON arrays. `null` stands for a key that is not there.
 *
 * @throws {UsageError} When it is no object of plain values, or has a key that is not known.
 */
export function readConfigFile(
  path: string | undefined,
  readText: ReadText,
): Map<string, string> {
  const values = new Map<string, string>();
  if (!path) return values;
  const keys = Object.values(OPTIONS).flatMap((option) => "key" in option ? [option.key] : []);
  for (const [key, value] of Object.entries(parseJsonObject(readOrRefuse(path, readText), path))) {
    if (!keys.some((known) => known === key)) {
      throw new UsageError(
        `Cannot use key "${key}" of the file ${path}: there is none of that name${
          didYouMean(key, keys.filter((known) => known !== undefined))
        }`,
      );
    }
    if (value === null) continue;
    const words = Array.isArray(value) ? value : [value];
    if (words.some((word) => !["string", "number", "boolean"].includes(typeof word))) {
      throw new UsageError(`Cannot use key "${key}" of the file ${path}: allowed is a plain value`);
    }
    values.set(key, words.join(key === OPTIONS.includeMountPoints.key ? ";" : ","));
  }
  return values;
}

function parseJsonObject(text: string, path: string): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    // The parser's own message quotes the text, and the text may hold the token.
    throw new UsageError(`Cannot use the file ${path}: it is no valid JSON`, {
      cause: error instanceof SyntaxError ? undefined : error,
    });
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
    throw new UsageError(`Cannot use the file ${path}: allowed is one JSON object`);
  }
  return { ...parsed };
}

/** @throws {UsageError} When the file can't be read. */
export function readOrRefuse(path: string, readText: ReadText): string {
  try {
    return readText(path);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new UsageError(`Cannot read the file ${path}: ${reason}`, { cause: error });
  }
}
