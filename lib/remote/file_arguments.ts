import { attempt, errorCode } from "../attempt.ts";
import type { LargeGarbage } from "../host/memory_release.ts";
import { describeError } from "../log/log.ts";
import type { FileTransferClient } from "../panel/file_transfers.ts";
import { quoteStart, truncate } from "../parse/bounded_text.ts";
import type { FolderReader } from "./folder_reader.ts";
import type { Turns } from "./task_queue.ts";

// Not by `import … from`, which a bundle would load at every start of the agent.
const { posix } = await import("node:path");

/** Longest path in UTF-16 code units; the kernel takes 4096 bytes. */
const MAX_PATH_LENGTH = 4096;

/** An operation has 12 of them. */
const MAX_ARGUMENTS = 32;

/**
 * The arguments of one file request, checked on access.
 *
 * They come from the panel: any of them may be missing, of another type or out of range.
 */
export class FileArguments {
  readonly #args: Readonly<Record<string, unknown>>;
  readonly #home: string;

  /**
   * Keeps texts, numbers and flags; what else there is has no meaning here.
   *
   * @param home The folder that `~` stands for.
   * @throws {TypeError} When a text is longer than any path.
   */
  constructor(args: Readonly<Record<string, unknown>>, home: string) {
    const kept = Object.entries(args).slice(0, MAX_ARGUMENTS).filter(([name, value]) => {
      if (typeof value === "string" && value.length > MAX_PATH_LENGTH) {
        throw new TypeError(`file name too long: ${truncate(name, 20)}`);
      }
      return ["string", "number", "boolean"].includes(typeof value);
    });
    this.#args = Object.fromEntries(kept);
    this.#home = home;
  }

  /** The path of the request, or the one that is moved or copied; empty when there is none. */
  get named(): string {
    const name = this.has("path") ? "path" : "source";
    return this.has(name) ? attempt(() => this.path(name)) ?? "" : "";
  }

  /** Whether an argument was given. */
  has(name: string): boolean {
    return Object.hasOwn(this.#args, name);
  }

  /** A text; empty when it is missing. @throws {TypeError} When it is no text. */
  text(name: string): string {
    const value = this.has(name) ? this.#args[name] : "";
    if (typeof value === "string") return value;
    throw new TypeError(`invalid argument: ${name} is not a text`);
  }

  /**
   * An absolute path without `.`, `..` and a slash at its end. Empty is `/`; `~` is the home folder.
   *
   * @throws {TypeError} When the path is relative or can't be one.
   */
  path(name: string): string {
    const text = this.text(name);
    if (text.includes("\0")) {
      throw new TypeError("invalid argument: a path contains a NUL character");
    }
    const isInHome = text === "~" || text.startsWith("~/");
    const path = isInHome ? `${this.#home}/${text.slice(1)}` : text || "/";
    if (!path.startsWith("/")) {
      throw new TypeError("invalid argument: a path must begin with / or ~/");
    }
    return posix.resolve(path);
  }

  /** A path that is not `/`. @throws {TypeError} As {@linkcode FileArguments.path}. */
  pathBelowRoot(name: string): string {
    const path = this.path(name);
    if (path === "/") throw new TypeError("operation not permitted: the path is the root folder");
    return path;
  }

  /** A flag; false when it is missing. */
  flag(name: string): boolean {
    return this.#args[name] === true;
  }

  /**
   * A whole number from `min` to `max`, which defaults to 2^53 - 1.
   *
   * @throws {RangeError} When it is missing or none.
   */
  integer(
    name: string,
    { min, max = Number.MAX_SAFE_INTEGER }: { min: number; max?: number },
  ): number {
    const value = this.#args[name];
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= min && value <= max) {
      return value;
    }
    throw new RangeError(`invalid argument: ${name} must be a whole number from ${min} to ${max}`);
  }

  /**
   * Permission bits from octal text such as `755` or `0o644`; `undefined` when it is empty.
   *
   * @throws {RangeError} When it is no octal number of up to four digits.
   */
  mode(name: string): number | undefined {
    const text = this.text(name).trim();
    if (text === "") return undefined;
    const [, digits] = /^(?:0o)?(0?[0-7]{1,4})$/.exec(text) ?? [];
    if (digits !== undefined) return parseInt(digits, 8);
    throw new RangeError(`invalid argument: ${quoteStart(text, 20)} is no octal mode`);
  }

  /**
   * The identifier of an upload or a transfer: letters, digits, `-`, `_`, 128 at most. It becomes
   * part of a file name or of a URL's path.
   *
   * @throws {TypeError} When it is missing or has other characters.
   */
  id(name: string): string {
    const text = this.text(name).trim();
    if (/^[\w-]{1,128}$/.test(text)) return text;
    throw new TypeError(`invalid argument: ${name} must be 1 to 128 letters, digits, - or _`);
  }
}

/** What an operation on files needs beside its arguments. */
export interface FileContext {
  readonly signal: AbortSignal;
  readonly transfers: FileTransferClient;
  readonly folders: FolderReader;
  /** For lists of thousands of files, which take megabytes: one at a time. */
  readonly longLists: Turns;
  readonly garbage: LargeGarbage;
  /** Disposed of when the answer is on its way. */
  readonly untilSent: DisposableStack;
}

const MAX_SHOWN_LENGTH = 300;

/** A failure at a path: `/etc/x: permission denied`. */
export class FileError extends Error {
  override name = "FileError";

  /** @param why The words in small letters, or an error of the system or the runtime. */
  constructor(path: string, why: unknown) {
    const words = typeof why === "string" ? why : partsOf(why).words;
    super(`${truncate(path, MAX_SHOWN_LENGTH)}: ${words}${hintFor(path, why)}`, { cause: why });
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
