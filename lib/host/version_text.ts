import { COMMIT, VERSION } from "../version.ts";
import { thisProgram, thisTarget } from "./this_program.ts";

/** What `version` prints: a line for people, or as JSON all that tells one build from another. */
export function versionText(options: { json: boolean }): string {
  const target = thisTarget(thisProgram());
  if (options.json) {
    const { deno, v8 } = Deno.version;
    return `${JSON.stringify({ version: VERSION, commit: COMMIT, deno, v8, target }, null, 2)}\n`;
  }
  const build = [COMMIT.slice(0, 12), target].filter((part) => part !== "").join(", ");
  return `komari-agent-deno ${VERSION} (${build})\n`;
}
