import type { Option } from "./option.ts";
import { OPTION_ROWS, OPTIONS } from "./option_table.ts";
import { UsageError } from "./usage_error.ts";

/** Options of one source by the keys of the configuration file, as the text a flag would have. */
export type OptionTexts = ReadonlyMap<string, string>;

/** The sources of options, strongest first. */
export interface OptionSources {
  readonly flags: ReadonlyMap<Option<unknown>, string>;
  readonly env: Readonly<Record<string, string>>;
  readonly file: OptionTexts;
  /** Path of `file`; `undefined` if there is none. */
  readonly filePath: string | undefined;
  /** Options that `install` was given, from the record of the installation. */
  readonly recorded?: OptionTexts;
  /** Options of an official agent that is being replaced. */
  readonly imported?: OptionTexts;
}

/** An option that was set, and where. */
export interface FoundOption {
  readonly text: string;
  /** The option as it is written there, such as `--interval`, `AGENT_INTERVAL` or `interval`. */
  readonly name: string;
  /** The source in words, such as `flag --interval`. */
  readonly origin: string;
  /** Strength of the source: 0 is the strongest. */
  readonly rank: 0 | 1 | 2 | 3;
}

/** Options that name where other options are. */
const LOCATIONS: readonly Option<unknown>[] = [
  OPTIONS.configFile,
  OPTIONS.token,
  OPTIONS.tokenFile,
];

/** Looks options up in all sources. */
export class OptionLookup {
  readonly #sources: OptionSources;

  constructor(sources: OptionSources) {
    this.#sources = sources;
  }

  /** The option in the strongest source that sets it; `undefined` if none does. */
  find(option: Option<unknown>): FoundOption | undefined {
    const { flags, env, file, filePath, recorded, imported } = this.#sources;
    // Further panels are the further values of --endpoint and --token.
    const { flag = OPTIONS.endpoint.flag, variable = "", key = "" } = option;
    const ofFlag = flags.get(option);
    if (ofFlag !== undefined) {
      return { text: ofFlag, name: `--${flag}`, origin: `flag --${flag}`, rank: 0 };
    }
    const ofVariable = env[variable];
    if (ofVariable) {
      return { text: ofVariable, name: variable, origin: `variable ${variable}`, rank: 1 };
    }
    const ofKey = file.get(key);
    if (ofKey) return { text: ofKey, name: key, origin: `key ${key} of ${filePath}`, rank: 2 };
    const ofRecord = recorded?.get(key);
    if (ofRecord) {
      return { text: ofRecord, name: key, origin: `${key} of the installation`, rank: 3 };
    }
    const ofOfficial = imported?.get(key);
    if (ofOfficial) {
      return { text: ofOfficial, name: key, origin: `${key} of the official agent`, rank: 3 };
    }
    return undefined;
  }

  /** The option's value, or its default. @throws {UsageError} If the text can't be parsed. */
  value<T>(option: Option<T>): T {
    const found = this.find(option);
    return found === undefined ? option.initial : parseOption(option, found);
  }

  /** The source of every option that was set, by its key. */
  origins(): OptionTexts {
    const origins = new Map<string, string>();
    for (const option of OPTION_ROWS) {
      const found = this.find(option);
      if (option.key !== undefined && found !== undefined) origins.set(option.key, found.origin);
    }
    return origins;
  }

  /**
   * Every option that was set, by its key: what a service needs to do the same. The token is left
   * out, since it may be in a file of its own.
   */
  explicitOptions(): OptionTexts {
    const explicit = new Map<string, string>();
    for (const option of OPTION_ROWS) {
      if (option.key === undefined || LOCATIONS.includes(option)) continue;
      const found = this.find(option);
      if (found !== undefined) explicit.set(option.key, found.text);
    }
    return explicit;
  }
}

/** @throws {UsageError} One line that names the option, its source, and what is allowed. */
export function parseOption<T>(option: Option<T>, found: FoundOption): T {
  try {
    return option.parse(found.text);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const value = option.secret
      ? `the value of ${found.origin}`
      : `${JSON.stringify(found.text)} for ${found.origin}`;
    throw new UsageError(`Cannot use ${value}: allowed is ${error.message}`, { cause: error });
  }
}

/** Reads a file's text. @throws When it can't. */
export type ReadText = (path: string) => string;

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
export function readOptionFile(option: string, path: string, readText: ReadText): string {
  try {
    return readText(path);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    const reason = REASONS[code] ?? (error instanceof Error ? error.message : String(error));
    throw new UsageError(`Cannot read ${option} ${path}: ${reason}`, { cause: error });
  }
}
