import { parseUpdateState } from "../parse/update_state.ts";

/** The file in it that remembers trials. */
export const UPDATE_STATE = "update.json";

/**
 * Where updates of a program keep what they remember: beside the program.
 *
 * Whoever writes there could write the program too. The agent's own folders would not do: an update
 * often runs as root, the agent does not, and must have no say in what root puts where.
 *
 * @param path The program's file.
 */
export function updateFolder(path: string): string {
  return `${path}.update`;
}

/** Whether a trial of a new version was cut off. */
export function isTrialOpen(path: string): boolean {
  try {
    const text = Deno.readTextFileSync(`${updateFolder(path)}/${UPDATE_STATE}`);
    return parseUpdateState(text).trial !== undefined;
  } catch {
    return false;
  }
}
