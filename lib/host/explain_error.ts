import { UsageError } from "../config/usage_error.ts";
import { describeError } from "../log.ts";

/** What ended the program, in one line for its user. */
export function explainError(error: unknown): string {
  if (error instanceof UsageError) return error.message;
  const hint = isForbidden(error) ? "; run it with --allow-all" : "";
  return describeError(error) + hint;
}

/** Whether the runtime has refused something that it was not given the right to. */
function isForbidden(error: unknown): boolean {
  return error instanceof Deno.errors.NotCapable ||
    (error instanceof Error && isForbidden(error.cause));
}
