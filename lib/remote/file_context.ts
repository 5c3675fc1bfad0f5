import { errorCode } from "../attempt.ts";
import type { LargeGarbage } from "../host/memory_release.ts";
import { describeError } from "../log/log.ts";
import { truncate } from "../parse/bounded_text.ts";
import type { FolderReader } from "./folder_reader.ts";
import type { Turns } from "./task_queue.ts";

/** What an operation on files needs beside its arguments. */
export interface FileContext {
  readonly signal: AbortSignal;
  readonly folders: FolderReader;
  /** For lists of thousands of files, which take megabytes: one at a time. */
  readonly longLists: Turns;
  readonly garbage: LargeGarbage;
  /** Disposed of when the answer is on its way. */
  readonly untilSent: DisposableStack;
}

const MAX_PATH_LENGTH = 300;

/** A failure at a path: `/etc/x: permission denied`. */
export class FileError extends Error {
  override name = "FileError";

  /** @param why The words in small letters, or an error of the system or the runtime. */
  constructor(path: string, why: unknown) {
    const words = typeof why === "string" ? why : partsOf(why).words;
    super(`${truncate(path, MAX_PATH_LENGTH)}: ${words}${hintFor(path, why)}`, { cause: why });
  }
}

/**
 * The reason of a failure in the words that panels look for, in small letters, behind the path:
 * `/etc/x: permission denied`. The runtime's own additions are left out.
 *
 * @param path Where the error has none that the order named.
 */
export function fileErrorText(error: unknown, path = ""): string {
  if (error instanceof FileError) return error.message;
  const { words, path: itsOwn } = partsOf(error);
  if (errorCode(error) === "" && itsOwn === undefined) return words;
  const isNamed = itsOwn !== undefined && !itsOwn.startsWith("/proc/self/fd/");
  const shown = isNamed ? itsOwn : path;
  return shown === "" ? words : new FileError(shown, error).message;
}

/** Parts of "ENOENT: no such file or directory, open '/x'", "Not a directory: readdir '/x'". */
function partsOf(error: unknown): { words: string; path: string | undefined } {
  const text = describeError(error);
  const [, words = text, path] = /^(?:E[A-Z0-9]+: )?(.*?)(?:[,:] [a-z]+ '(.*)')?$/s.exec(text) ??
    [];
  return { words: words.toLowerCase(), path: path?.replace("' -> '", " to ") };
}

/** The names that a list shows with replacement characters lead nowhere. */
function hintFor(path: string, why: unknown): string {
  const isMissing = errorCode(why) === "ENOENT" || why instanceof Deno.errors.NotFound;
  return isMissing && path.includes("\ufffd")
    ? " (a name that is not UTF-8 can be used in a terminal only)"
    : "";
}
