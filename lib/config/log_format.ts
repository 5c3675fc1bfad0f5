import type { ConfigSources } from "./sources.ts";

/**
 * The wanted form of log lines, for an error that is found before the configuration stands.
 *
 * Looks in the same places, but never throws: what can't be read counts as not there.
 */
export function wantedLogFormat(
  { args, env, readText }: Pick<ConfigSources, "args" | "env" | "readText">,
): "text" | "json" {
  const format = flagValue(args, "--log-format") ?? (env.AGENT_LOG_FORMAT || undefined) ??
    ofFile(flagValue(args, "--config") ?? env.AGENT_CONFIG_FILE, readText);
  return format === "json" ? "json" : "text";
}

function flagValue(args: readonly string[], flag: string): string | undefined {
  const attached = args.findLast((arg) => arg.startsWith(`${flag}=`));
  if (attached !== undefined) return attached.slice(flag.length + 1);
  const at = args.lastIndexOf(flag);
  return at === -1 ? undefined : args[at + 1];
}

function ofFile(path: string | undefined, readText: (path: string) => string): unknown {
  if (!path) return undefined;
  try {
    const values: Record<string, unknown> = { ...JSON.parse(readText(path)) };
    return values.log_format;
  } catch {
    return undefined;
  }
}
