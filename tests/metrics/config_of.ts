import { type Config, resolveConfig } from "../../lib/config/config.ts";

/** The configuration of a dry run with these flags and variables. */
export function configOf(args: readonly string[] = [], env: Record<string, string> = {}): Config {
  return resolveConfig({
    args: [...args, "--dry-run"],
    env,
    readText: () => "",
    readMode: () => undefined,
  });
}
