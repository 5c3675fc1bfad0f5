import { ownPlaces } from "../own_places.ts";
import { patience } from "../patience.ts";

const MAIN = new URL("../../main.ts", import.meta.url).pathname;

/** Runs the program with these words in a home of its own, and with no other variables; not for ever. */
export function spawnProgram(
  words: readonly string[],
  home: string,
  env: Record<string, string> = {},
): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "--quiet", MAIN, ...words],
    clearEnv: true,
    env: { PATH: Deno.env.get("PATH") ?? "", NO_COLOR: "1", ...ownPlaces(home), ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    signal: patience(),
  }).spawn();
}
