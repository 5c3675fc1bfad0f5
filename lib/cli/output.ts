import { UsageError } from "../config/usage_error.ts";
import { describeError } from "../log/log.ts";

/** Writes to standard output. */
export function print(text: string): void {
  write(Deno.stdout, text);
}

/** Writes a line to standard error. */
export function printError(line: string): void {
  write(Deno.stderr, `${line}\n`);
}

function write(stream: typeof Deno.stdout, text: string): void {
  const bytes = new TextEncoder().encode(text);
  try {
    for (let from = 0; from < bytes.length;) from += stream.writeSync(bytes.subarray(from));
  } catch {
    // Nobody reads any more; that is no reason to end.
  }
}

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
