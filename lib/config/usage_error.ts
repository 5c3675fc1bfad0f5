/** A mistake on the command line or in the configuration: one line for the user, exit code 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** Whether it is one: by its name, since a build's commands have a class of their own (`load_commands.ts`). */
export function isUsageError(error: unknown): error is UsageError {
  return error instanceof Error && error.name === "UsageError";
}
