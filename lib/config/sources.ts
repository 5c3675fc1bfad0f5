import { UsageError } from "./usage_error.ts";

/** Reads a file's text. @throws When it can't. */
export type ReadText = (path: string) => string;

/** Where configuration comes from. */
export interface ConfigSources {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Reads a file that an option names. */
  readonly readText: ReadText;
  /** Permission bits of such a file; `undefined` where they can't be told. */
  readonly readMode: (path: string) => number | undefined;
  /** Where the configuration of an installed service of this name may be, the likeliest first. */
  readonly installedConfigs?: (serviceName: string) => readonly string[];
  /** What whoever has installed a service of this name told it, by keys; not what it says itself. */
  readonly installedTold?: (serviceName: string) => ReadonlyMap<string, string>;
  /** Whether a file is this user's own, so that nobody else has written it. */
  readonly isOwn?: (path: string) => boolean;
  /** What an official agent was told whose place is taken, by keys; everything else wins over it. */
  readonly takenOver?: ReadonlyMap<string, string>;
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "no such file",
  EACCES: "permission denied",
  EISDIR: "it is a folder",
  ENOTDIR: "no such file",
};

/**
 * The text of the file that an option names.
 *
 * @throws {UsageError} When it can't be read; the message has `option` and `path`, once each.
 */
export function readOrRefuse(option: string, path: string, readText: ReadText): string {
  try {
    return readText(path);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    const reason = REASONS[code] ?? (error instanceof Error ? error.message : String(error));
    throw new UsageError(`Cannot read ${option} ${path}: ${reason}`, { cause: error });
  }
}
