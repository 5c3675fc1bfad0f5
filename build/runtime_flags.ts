/**
 * How every form of the program is run; chosen and explained here alone. The tasks of `deno.json`
 * hold the same flags, and a test sees to it.
 *
 * - `-A`: what the agent may do is decided by its seal after the first report, not by a list here:
 *   which files, interfaces and servers it needs depends on its options and on the machine.
 * - `--no-prompt`: a right that the seal gave up is refused, never asked for on a terminal.
 * - `--no-opt`, `--no-maglev`: a report is a millisecond of work. Compilers that make hot code
 *   faster find none, and cost megabytes.
 * - `--max-semi-space-size=1`: the engine clears away short-lived values after each megabyte, not
 *   after 16, so the heap stays small.
 * - `--no-code-cache`: a compiled program would keep its compiled code in a file with a name that
 *   can be guessed, in the folder for temporary files. Whoever made that file first could let root
 *   run code of his.
 */
export const PERMISSIONS = ["-A", "--no-prompt"] as const;

/** What the engine is told, in the form in which Deno takes it. */
export const V8_FLAGS = "--v8-flags=--no-opt,--no-maglev,--max-semi-space-size=1";

/** Keeps compiled code out of the folder for temporary files. */
export const NO_CODE_CACHE = "--no-code-cache";
