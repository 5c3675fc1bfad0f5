/**
 * The layers of a configuration: where options are set, by the names that they have there, and the file.
 *
 * @module
 */

import { attempt } from "../attempt.ts";
import { type Command, reads } from "./commands.ts";
import { readConfigFile, type ReadText } from "./config_file.ts";
import type { Layer, Option, OptionTexts } from "./option.ts";
import { OPTION_ROWS, OPTIONS } from "./option_table.ts";
import { UsageError } from "./usage_error.ts";

/** The flags of a command line. */
type Flags = ReadonlyMap<Option<unknown>, string>;

/**
 * The layer of the command line, in which `--unset` returns options to their default.
 *
 * @throws {UsageError} When a flag sets one of them.
 */
export function flagLayer(flags: Flags): Layer {
  const texts = new Map<Option<unknown>, string | null>(flags);
  // A mistake in it is found with all others.
  const names = attempt(() => OPTIONS.unset.parse(flags.get(OPTIONS.unset) ?? "")) ?? [];
  for (const option of OPTION_ROWS.filter(({ key = "" }) => names.includes(key))) {
    if (flags.has(option)) {
      throw new UsageError(`Cannot use --unset ${option.key} together with --${option.flag}`);
    }
    texts.set(option, null);
  }
  // Further panels have no flag of their own: they are the further values of --endpoint.
  return {
    texts,
    nameOf: ({ flag = "endpoint" }) => ({ name: `--${flag}`, origin: `flag --${flag}` }),
  };
}

/** A layer of texts by the names that options have there; an empty text sets nothing. */
export function layer(
  textOf: (name: string) => string | undefined,
  nameOf: (option: Option<unknown>) => string,
  originOf: (name: string) => string,
): Layer {
  const texts = OPTION_ROWS.flatMap((row): [Option<unknown>, string][] => {
    const text = textOf(nameOf(row));
    return text ? [[row, text]] : [];
  });
  return {
    texts: new Map(texts),
    nameOf: (row) => ({ name: nameOf(row), origin: originOf(nameOf(row)) }),
  };
}

/** By what the file is found and read. */
export interface FileInput {
  readonly env: Readonly<Record<string, string>>;
  /** Reads a file that an option names. */
  readonly readText: ReadText;
  /** Possible configuration files of an installed service of this name, likeliest first. */
  readonly installedConfigs?: (serviceName: string) => readonly string[];
  /** The owner's id of a file that is neither this user's nor root's; else `undefined`. */
  readonly foreignOwner?: (path: string) => number | undefined;
}

/** The name of the service that a command is about. */
export function serviceOf(flags: Flags): string {
  return flags.get(OPTIONS.serviceName) || OPTIONS.serviceName.initial;
}

/**
 * Reads the file that a flag or variable names, or the installed service's.
 *
 * @throws {UsageError} When it can't be used, or the installed one is another user's, who could have
 * written anything into it.
 */
export function readOptionsFile(
  command: Command,
  flags: Flags,
  { env, readText, installedConfigs, foreignOwner }: FileInput,
): { path: string | undefined; texts: OptionTexts; isInstalled: boolean } {
  const ofFlag = flags.get(OPTIONS.configFile);
  const named = ofFlag ?? (env.AGENT_CONFIG_FILE || undefined);
  const namesPanel = (command === "report" || command === "doctor") &&
    (flags.has(OPTIONS.endpoint) || Boolean(env.AGENT_ENDPOINT));
  const installed = named === undefined && !namesPanel && reads(command, "installed")
    ? installedConfigs?.(serviceOf(flags)).find((path) =>
      attempt(() => readText(path)) !== undefined
    )
    : undefined;
  const owner = installed === undefined ? undefined : foreignOwner?.(installed);
  if (owner !== undefined) {
    throw new UsageError(
      `Cannot use the installed configuration ${installed}: another user (id ${owner}) owns it ` +
        `and may have changed it; check it, and run \`chown root ${installed}\` and \`install\`, which ` +
        "lets the service read it",
    );
  }
  const path = named ?? installed;
  const option = installed !== undefined
    ? "the installed configuration"
    : ofFlag !== undefined
    ? "--config"
    : "AGENT_CONFIG_FILE";
  return {
    path,
    texts: readConfigFile(path, { option, readText }),
    isInstalled: installed !== undefined,
  };
}
