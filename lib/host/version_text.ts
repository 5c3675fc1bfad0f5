import { COMMIT, VERSION } from "../version.ts";
import { machineTarget, thisProgram } from "./this_program.ts";

/** What `version` prints: a line for people, or as JSON all that tells one build from another. */
export function versionText(options: { json: boolean }): string {
  const target = machineTarget();
  const { form } = thisProgram();
  if (options.json) {
    const { deno, v8 } = Deno.version;
    const told = { version: VERSION, commit: COMMIT, deno, v8, target, form };
    return `${JSON.stringify(told, null, 2)}\n`;
  }
  const notes = [COMMIT.slice(0, 12), target, form === "binary" ? "" : form];
  return `komari-agent-deno ${VERSION} (${notes.filter((note) => note !== "").join(", ")})\n`;
}
