import { assert } from "@std/assert";
import { patience } from "./patience.ts";

/** Where, and by which program, such a Deno runs, and what it can read on its standard input. */
interface DenoOptions extends Pick<Deno.CommandOptions, "env" | "clearEnv" | "cwd"> {
  readonly input?: string;
  readonly through?: readonly string[];
}

/**
 * What a Deno with these flags and arguments prints, without colors; throws with its complaints where
 * it fails.
 */
export async function denoOutput(
  flags: string,
  words: readonly string[],
  { input, through = [], ...options }: DenoOptions = {},
): Promise<string> {
  const [command = "", ...args] = [...through, Deno.execPath(), ...flags.split(" "), ...words];
  const env = { NO_COLOR: "1", ...options.env };
  const child = new Deno.Command(command, {
    ...{ ...options, args, env, stdout: "piped", stderr: "piped", signal: patience() },
    stdin: input === undefined ? "null" : "piped",
  }).spawn();
  if (input !== undefined) await new Blob([input]).stream().pipeTo(child.stdin);
  const { success, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  const output = decoder.decode(stdout);
  assert(success, output + decoder.decode(stderr));
  return output;
}
