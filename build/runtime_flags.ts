/**
 * The flags of every form of the program. The tasks of `deno.json` repeat them, and a test compares.
 *
 * @module
 */

/**
 * `-A`, since the files, interfaces and servers that the agent needs depend on its options and on
 * the machine; its sandbox drops permissions later. `--no-prompt`, so that a dropped permission is
 * refused and not asked for on a terminal.
 */
export const PERMISSIONS = ["-A", "--no-prompt"] as const;

/**
 * Flags of V8.
 *
 * - `--no-opt`, `--no-maglev`: a report is a millisecond of work every few seconds. Optimizing
 *   compilers gain nothing there, and cost megabytes.
 * - `--max-semi-space-size=1`: short-lived values are collected after each megabyte, not after 16.
 * - `--expose-gc`: the agent collects garbage itself; see `memory_release.ts`.
 * - `--no-memory-reducer`: the engine would do so as well, which after the start makes a fifth of the
 *   CPU time of a report (910 against 1,150 µs, two copies each, side by side).
 * - `--single-threaded-gc`: without helper threads of the collector. Not `--single-threaded`, which
 *   costs as little: with it the runtime runs none of the engine's own tasks. Marking in steps and the
 *   callbacks of finalization registries are such tasks, so that the heap grows to a multiple, and what
 *   the runtime lets go of in those callbacks stays for ever.
 */
export const V8_FLAGS = `--v8-flags=${
  [
    "--no-opt",
    "--no-maglev",
    "--max-semi-space-size=1",
    "--expose-gc",
    "--no-memory-reducer",
    "--single-threaded-gc",
  ].join(",")
}`;

/**
 * Keeps no compiled code for the next start.
 *
 * A compiled program would cache it in the folder for temporary files under a predictable name, and
 * root would run the code of whoever created that file first. A portable build would cache it below
 * the home, which under `sudo` can be another user's. Without the cache the first report comes 14 ms
 * later (64 instead of 50 ms after the start, the best of twelve), for 10 ms more of CPU time, and
 * memory is 1 MB less.
 */
export const NO_CODE_CACHE = "--no-code-cache";
