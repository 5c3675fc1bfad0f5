import { assertThrows } from "@std/assert";
import { type Config, type ConfigInput, resolveConfig } from "../../lib/config/config.ts";
import { UsageError } from "../../lib/config/usage_error.ts";

interface Surroundings extends Partial<ConfigInput> {
  readonly files?: Readonly<Record<string, string>>;
  /** Permission bits of files; those that are not named are unknown. */
  readonly modes?: Readonly<Record<string, number>>;
}

/** What a command line asks for, where there are nothing but these variables and files. */
export function resolve(
  args: readonly string[],
  { files = {}, modes = {}, ...more }: Surroundings = {},
): Config {
  return resolveConfig({
    args,
    env: {},
    readText(path) {
      const text = files[path];
      if (text === undefined) throw Object.assign(new Error("gone"), { code: "ENOENT" });
      return text;
    },
    readMode: (path) => modes[path],
    ...more,
  });
}

/** Why a command line is refused. */
export function refusal(args: readonly string[], rest?: Surroundings): string {
  return assertThrows(() => resolve(args, rest), UsageError).message;
}
