/** What the user asked for can't be done as asked: one line for the user, exit code 2. */
export class UsageError extends Error {
  override name = "UsageError";
}
