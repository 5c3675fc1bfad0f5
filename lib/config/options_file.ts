/**
 * Finds and reads the configuration file: the one that is named, or the installed service's.
 *
 * @module
 */

import { attempt } from "../attempt.ts";
import { type Command, reads } from "./commands.ts";
import { readConfigFile, type ReadText } from "./config_file.ts";
import type { Flags } from "./layers.ts";
import type { OptionTexts } from "./option.ts";
import { OPTIONS } from "./option_table.ts";
import { UsageError } from "./usage_error.ts";

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
