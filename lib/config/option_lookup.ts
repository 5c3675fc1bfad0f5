import type { Option } from "./option.ts";
import { OPTIONS } from "./option_table.ts";
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

/** Where a value was found; the order of ranks is the order of precedence. */
export interface Found {
  readonly text: string;
  /** The option as it is written there, such as `--interval`, `AGENT_INTERVAL` or `interval`. */
  readonly name: string;
  /** The place in words. */
  readonly origin: string;
  readonly rank: 0 | 1 | 2 | 3;
}

/** Looks an option up in all places, the strongest first. */
export type Find = (option: Option<unknown>) => Found | undefined;

/** An option's value, or its default. @throws {UsageError} When it can't be used. */
export type PickValue = <T>(option: Option<T>) => T;

/** @throws {UsageError} One line that names the option, where it came from, and what is allowed. */
export function parseFound<T>(option: Option<T>, found: Found): T {
  try {
    return option.parse(found.text);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const what = option.secret
      ? `the value of ${found.origin}`
      : `${JSON.stringify(found.text)} for ${found.origin}`;
    throw new UsageError(`Cannot use ${what}: allowed is ${error.message}`, { cause: error });
  }
}

/** Options that say where other options are, and not what the agent does. */
const PLACES: readonly Option<unknown>[] = [OPTIONS.config, OPTIONS.token, OPTIONS.tokenFile];

/**
 * What was asked for in any place, by the keys of the configuration file: what a service has to be
 * given to do the same. The token is not among it, since it may stand in a file of its own.
 */
export function givenOptions(find: Find): ReadonlyMap<string, string> {
  const given = new Map<string, string>();
  const rows: readonly Option<unknown>[] = Object.values(OPTIONS);
  for (const option of rows) {
    const found = option.key === undefined || PLACES.includes(option) ? undefined : find(option);
    if (option.key !== undefined && found !== undefined) given.set(option.key, found.text);
  }
  return given;
}
