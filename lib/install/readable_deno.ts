import { UsageError } from "../config/usage_error.ts";

/**
 * The Deno that a portable build is to be run with, by a user who owns none of what lies on the way
 * to it.
 *
 * @throws {UsageError} When that user could not start it.
 */
export function readableDeno(path: string, { user }: { user: string }): string {
  const real = Deno.realPathSync(path);
  if (user === "root" || user === "") return real;
  const parts = real.split("/");
  for (let count = parts.length; count > 1; count--) {
    const part = parts.slice(0, count).join("/");
    // The program itself is read as well as started.
    const needed = count === parts.length ? 0o005 : 0o001;
    if (((Deno.statSync(part).mode ?? 0) & needed) !== needed) {
      throw new UsageError(
        `Cannot let ${user} start ${real}: ${part} is closed to other users; put Deno into ` +
          "/usr/local/bin and start this with it, or give --as-root",
      );
    }
  }
  return real;
}
