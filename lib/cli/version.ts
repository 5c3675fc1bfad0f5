/**
 * The command `version`.
 *
 * @module
 */

import type { Config } from "../config/config.ts";
import { machineTarget, thisProgram } from "../host/this_program.ts";
import { COMMIT, PROGRAM, VERSION } from "../version.ts";
import type { CommandContext } from "./command.ts";
import { jsonText } from "./output.ts";

/** Prints the version. */
export function runVersion(config: Config, { print }: CommandContext): number {
  print(versionText(config));
  return 0;
}

/** The version in a line, or as JSON with the commit and the runtime. */
export function versionText(options: { json: boolean }): string {
  const target = machineTarget();
  const { form } = thisProgram();
  if (options.json) {
    const { deno, v8 } = Deno.version;
    const shown = { version: VERSION, commit: COMMIT, deno, v8, target, form };
    return jsonText(shown);
  }
  const notes = [COMMIT.slice(0, 12), target, form === "binary" ? "" : form];
  return `${PROGRAM} ${VERSION} (${notes.filter((note) => note !== "").join(", ")})\n`;
}
