/** A mistake on the command line or in the configuration: one line for the user, exit code 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** Whether it is one: by its name, since a build's commands have a class of their own (`load_commands.ts`). */
export function isUsageError(error: unknown): error is UsageError {
  return error instanceof Error && error.name === "UsageError";
}

/**
 * The name nearest to a misspelt one, as a hint for the end of a sentence; empty when none is near.
 *
 * Written out here because the standard library's `closestString` keeps a table of four megabytes
 * from its import on, in an agent that runs for years and hints once.
 */
export function didYouMean(word: string, names: readonly string[]): string {
  let nearest = "";
  let least = Math.max(1, Math.floor(word.length / 3)) + 1;
  for (const name of names) {
    const distance = editDistance(word, name);
    if (distance >= least) continue;
    least = distance;
    nearest = name;
  }
  return nearest === "" ? "" : `; did you mean ${nearest}?`;
}

/** The number of letters to add, drop or replace to turn one word into the other. */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let index = 0; index < from.length; index++) {
    const next = [index + 1];
    for (let column = 0; column < to.length; column++) {
      const replaced = (row[column] ?? 0) + (from[index] === to[column] ? 0 : 1);
      next.push(Math.min(replaced, (row[column + 1] ?? 0) + 1, (next[column] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}
