/**
 * How every form of the program is run; chosen and explained here alone. The tasks of `deno.json`
 * hold the same flags, and a test sees to it.
 *
 * The numbers are those of a portable build on two cores, side by side, after 600 reports.
 *
 * @module
 */

/**
 * `-A`, since what the agent may do is decided by its seal after the first report: which files,
 * interfaces and servers it needs depends on its options and on the machine. `--no-prompt`, since a
 * right that the seal gave up is refused, and never asked for on a terminal.
 */
export const PERMISSIONS = ["-A", "--no-prompt"] as const;

/**
 * What the engine is told: 51 MB of memory with it, 61 MB without.
 *
 * - `--no-opt`, `--no-maglev`: a report is a millisecond of work every few seconds. Compilers that
 *   make hot code faster gain nothing there, and cost megabytes.
 * - `--max-semi-space-size=1`: short-lived values are cleared away after each megabyte, not after
 *   16, so the heap stays small.
 */
export const V8_FLAGS = "--v8-flags=--no-opt,--no-maglev,--max-semi-space-size=1";

/**
 * Keeps no compiled code for the next start.
 *
 * A compiled program would keep it in the folder for temporary files, under a name that can be
 * guessed: whoever makes that file first lets root run code of his. A portable build would keep it
 * below the home, which under `sudo` can be another user's. Without it the first report comes 14 ms
 * later (64 instead of 50 ms after the start, the best of twelve), for 10 ms more of CPU time, and
 * memory is 1 MB less.
 */
export const NO_CODE_CACHE = "--no-code-cache";
