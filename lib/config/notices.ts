import { didYouMean } from "./did_you_mean.ts";
import type { FoundToken } from "./credentials.ts";
import type { Option } from "./option.ts";
import { OPTION_ROWS, OPTIONS, type ResolvedOptions } from "./option_table.ts";

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
    discoveryNotice(options, context),
    // Over a WebSocket no report comes later than after 10 s.
    intervalSeconds !== undefined && intervalSeconds > 30 && transport === "http" &&
    `--interval ${intervalSeconds} is long: a panel shows a node as offline 35 s after its last report`,
    ...noEffectNotices(options),
  ].filter((notice) => typeof notice === "string");
}

function discoveryNotice(
  { found, values }: ResolvedOptions,
  { token: { token } }: NoticeContext,
): string | undefined {
  const key = found.get(OPTIONS.autoDiscoveryKey);
  if (key !== undefined && token !== "") {
    return `${key.origin} is not used: a token was given, and this node needs no other`;
  }
  return key === undefined && values.rediscover
    ? `${found.get(OPTIONS.rediscover)?.origin} has no effect without --auto-discovery KEY`
    : undefined;
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

/** What people call the two options that an agent can't report without, behind `KOMARI_` or alone. */
const GUESSED_NAMES: Readonly<Record<string, readonly string[]>> = {
  AGENT_ENDPOINT: ["ENDPOINT", "SERVER", "SERVER_URL", "PANEL", "PANEL_URL", "URL"],
  AGENT_TOKEN: ["TOKEN", "SECRET", "KEY"],
};

/** Names variables that look like an option by another name; `has`: whether a variable's option is set. */
export function unknownVariables(
  env: Readonly<Record<string, string>>,
  has: (variable: string) => boolean,
): string[] {
  const known = OPTION_ROWS.flatMap(({ variable }) => variable ?? []);
  return Object.keys(env).sort().flatMap((name) => {
    if (known.some((variable) => variable === name)) return [];
    const [, prefix, rest = ""] = /^(AGENT_|KOMARI_AGENT_|KOMARI_)?(.+)$/.exec(name) ?? [];
    if (prefix === "AGENT_") return unknown(name, didYouMean(name, known));
    const meant = known.find((variable) =>
      GUESSED_NAMES[variable]?.includes(rest) ||
      (prefix !== undefined && variable === `AGENT_${rest}`)
    );
    return meant === undefined || has(meant) ? [] : unknown(name, `; did you mean ${meant}?`);
  });
}

function unknown(name: string, hint: string): string[] {
  return hint === "" ? [] : [`variable ${name} is not known${hint}`];
}
