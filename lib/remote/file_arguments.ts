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

/**
 * The arguments of one file request, checked on access.
 *
 * They come from the panel: any of them may be missing, of another type or out of range.
 */
export class FileArguments {
  readonly #args: Readonly<Record<string, unknown>>;
  readonly #home: string;

  /** @param home The folder that `~` stands for. */
  constructor(args: Readonly<Record<string, unknown>>, home: string) {
    this.#args = args;
    this.#home = home;
  }

  /** The path of the request, or those of a move or a copy; empty when there is none. */
  get named(): string {
    const names = ["path", "source", "destination"].filter((name) => this.has(name));
    return names.flatMap((name) => attempt(() => this.path(name)) ?? []).join(" to ");
  }

  /** Whether an argument was given. */
  has(name: string): boolean {
    return (this.#args[name] ?? undefined) !== undefined;
  }

  /** A text; empty when it is missing. @throws {TypeError} When it is no text, or longer than a path. */
  text(name: string): string {
    const value = this.#args[name] ?? "";
    if (typeof value !== "string") throw new TypeError(`invalid argument: ${name} is not a text`);
    if (value.length > MAX_PATH_LENGTH) throw new TypeError(`file name too long: ${name}`);
    return value;
  }

  /**
   * An absolute path without `.`, `..` and a slash at its end. Empty is `/`; `~` is the home folder.
   *
   * @throws {TypeError} When the path is relative or can't be one.
   */
  path(name: string): string {
    const text = this.text(name);
    const isInHome = text === "~" || text.startsWith("~/");
    const path = isInHome ? `${this.#home}/${text.slice(1)}` : text || "/";
    if (!path.startsWith("/") || path.includes("\0")) {
      throw new TypeError("invalid argument: a path must begin with / or ~/, and have no NUL");
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

  /** A whole number from `min` to `max`. @throws {RangeError} When it is missing or none. */
  integer(name: string, min: number, max: number = Number.MAX_SAFE_INTEGER): number {
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

/** A failure at another path than the one that the order named. */
export class FileError extends Error {
  constructor(readonly path: string, cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

/**
 * The path of a failure, and its reason in the words that panels look for, in small letters:
 * `/etc/x: permission denied`. The runtime's own additions are left out.
 *
 * @param named The path that the order named, if any.
 */
export function fileErrorText(error: unknown, named = ""): string {
  const text = describeError(error);
  // "ENOENT: no such file or directory, open '/x'", "Not a directory: readdir '/x'"
  const [, words = text, its = ""] =
    /^(?:E[A-Z0-9]+: )?(.*?)(?:[,:] [a-z]+ '(.*)')?$/s.exec(text) ??
      [];
  const own = error instanceof FileError ? error.path : its.replace("' -> '", " to ");
  // A copy reaches its files by the descriptors of their folders.
  const path = own === "" || own.startsWith("/proc/self/fd/") ? named : own;
  // The names that a list shows with replacement characters lead nowhere.
  const hint = errorCode(error) === "ENOENT" && path.includes("\ufffd")
    ? " (a name that is not UTF-8 can be used in a terminal only)"
    : "";
  return `${path && `${truncate(path, MAX_SHOWN_LENGTH)}: `}${words.toLowerCase()}${hint}`;
}
