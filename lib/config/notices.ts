/**
 * What is said of options together: which can't be given so, or to a command, and advice.
 *
 * @module
 */

import type { Command } from "./commands.ts";
import type { FoundToken } from "./credentials.ts";
import { commandsOf, type Option } from "./option.ts";
import { OPTION_ROWS, OPTIONS, type OptionValues, type ResolvedOptions } from "./option_table.ts";
import { didYouMean, UsageError } from "./usage_error.ts";

/** Facts beside the options themselves that notices are about. */
export interface NoticeContext {
  /** Permission bits of a file; `undefined` if unknown. */
  readonly readMode: (path: string) => number | undefined;
  readonly token: FoundToken;
  /** The configuration file, if it holds a secret. */
  readonly secretConfig: string | undefined;
}

/** Advice about the configuration, one line each. */
export function configNotices(options: ResolvedOptions, context: NoticeContext): string[] {
  const { anyCertificate, enableRemoteControl, disableWebSsh, intervalSeconds, transport } =
    options.values;
  const { readMode, token: { file: tokenFile }, secretConfig } = context;
  return [
    anyCertificate &&
    "--ignore-unsafe-cert: any certificate is trusted, so anyone between this machine and the " +
      "panel can read the token; --ca-cert FILE trusts only your own certificate",
    enableRemoteControl && disableWebSsh &&
    "--disable-web-ssh wins over --enable-remote-control: remote control stays off",
    // The group of a root's file may be that of the service's user, by which alone it reads it.
    tokenFile && ((readMode(tokenFile.path) ?? 0) & 0o004) !== 0 &&
    `${tokenFile.option} ${tokenFile.path} can be read by all users of this machine; run chmod o= on it`,
    secretConfig && ((readMode(secretConfig) ?? 0) & 0o004) !== 0 &&
    `${secretConfig} holds a secret and can be read by all users of this machine; run chmod o= on it`,
    // Over a WebSocket no report comes later than after 10 s.
    intervalSeconds !== undefined && intervalSeconds > 30 && transport === "http" &&
    `--interval ${intervalSeconds} is long: a panel shows a node as offline 35 s after its last report`,
    ...noEffectNotices(options),
  ].filter((notice) => typeof notice === "string");
}

/** Names each option without effect whose value is not its default. */
function noEffectNotices({ found, values }: ResolvedOptions): string[] {
  const all: Readonly<Record<string, unknown>> = values;
  return Object.entries<Option<unknown>>(OPTIONS).flatMap(([name, option]) => {
    const { noEffect, initial } = option;
    if (noEffect === undefined || all[name] === initial) return [];
    return [`${found.get(option)?.origin} has no effect: ${noEffect}`];
  });
}

/** Names variables of options that are misspelt. */
export function unknownVariables(env: Readonly<Record<string, string>>): string[] {
  const known = OPTION_ROWS.flatMap(({ variable }) => variable ?? []);
  return Object.keys(env).sort().flatMap((name) => {
    if (!name.startsWith("AGENT_") || known.includes(name)) return [];
    const hint = didYouMean(name, known);
    return hint === "" ? [] : [`variable ${name} is not known${hint}`];
  });
}

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
    const names = commands.map((name) => `"${name}"`).join(", ");
    throw new UsageError(`Cannot use ${origin} here: it is an option of ${names}`);
  }
}
