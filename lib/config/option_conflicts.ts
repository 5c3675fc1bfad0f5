/**
 * Which options can't be given together, or to a command.
 *
 * @module
 */

import type { Command } from "./commands.ts";
import { commandsOf } from "./option.ts";
import type { OptionValues, ResolvedOptions } from "./option_table.ts";
import { UsageError } from "./usage_error.ts";

/** @throws {UsageError} If options are set that have no meaning together. */
export function requireCompatible(values: OptionValues): void {
  const { updateKey, updateUrl, keepState, restore } = values;
  if (updateKey !== "" && updateUrl === "") {
    throw new UsageError("Cannot use --update-key without --update-url: give both");
  }
  if (values.tokenIn === "header" && hasAuthorization(values)) {
    throw new UsageError(
      "Cannot use --token-in header with an Authorization of --header: a request has one such " +
        "header, and the token would be in it",
    );
  }
  if (keepState && restore) throw new UsageError("Cannot use --keep-state and --restore together");
}

/** Whether a header of the configuration is the one that authorizes requests. */
export function hasAuthorization({ headers }: OptionValues): boolean {
  return headers.some(([name]) => name.toLowerCase() === "authorization");
}

/**
 * Refuses options of the command line that the command does not take.
 *
 * @throws {UsageError} One line that names the option and the commands that take it.
 */
export function refuseOtherCommands({ found }: ResolvedOptions, command: Command): void {
  for (const [option, { origin }] of found) {
    const commands = option.variable === undefined ? commandsOf(option) : undefined;
    if (commands === undefined || commands.includes(command)) continue;
    const names = commands.map((name) => `"${name}"`);
    const verb = names.length === 1 ? "takes" : "take";
    throw new UsageError(`Cannot use ${origin} here: only ${enumerate(names)} ${verb} it`);
  }
}

/** Texts as a list in a sentence: `a, b and c`. */
function enumerate(texts: readonly string[]): string {
  const last = texts.at(-1) ?? "";
  return texts.length < 2 ? last : `${texts.slice(0, -1).join(", ")} and ${last}`;
}
