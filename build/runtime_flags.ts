/**
 * The flags of every form of the program; `run_source.ts` gives them to the one of a checkout.
 *
 * @module
 */

/**
 * `-A`, since the files, interfaces and servers that the agent needs depend on its options and on
 * the machine; the seal drops permissions later. `--no-prompt`, so that a dropped permission is
 * refused and not asked for on a terminal.
 */
export const PERMISSIONS = ["-A", "--no-prompt"] as const;

/**
 * Flags of V8.
 *
 * - `--no-opt`: of the two optimizing compilers the larger one. It gains nothing beyond the other in a
 *   millisecond of work every few seconds, and costs megabytes.
 * - `--invocation-count-for-maglev`, `--minimum-invocations-after-ic-update`: the smaller one compiles
 *   what was called 30 times, and five times since it last saw something new, not 400 times. It makes a
 *   sixth of the CPU time of a report (832 against 993 µs, two copies each, side by side), and takes 30 ms
 *   in all. At 50 and 25 it had not done it all after three minutes (379 against 306 µs a second); at 20
 *   or 10 it gains no more.
 * - `--no-concurrent-recompilation`: it works on the main thread. A thread of its own would keep 6 MB.
 * - `--no-maglev-inlining`, `--no-maglev-loop-peeling`: it repeats no function in its callers and no loop's
 *   first turn, so that less code passes the caches: 374 against 386 µs a second, four copies each, side
 *   by side, and 0.4 MB less.
 * - `--max-semi-space-size=1`: short-lived values are collected after each megabyte, not after 16.
 * - `--expose-gc`: the agent collects garbage itself; see `memory_release.ts`.
 * - `--no-memory-reducer`: the engine would do so as well, which after the start makes a fifth of the
 *   CPU time of a report (910 against 1,150 µs, two copies each, side by side).
 * - `--bytecode-old-time`: a collection drops the code of functions that were not called for 3 s, not
 *   for 180: that of the start, since the agent collects four times in its first minute.
 * - `--managed-zone-memory`: what the compilers work with is taken from the engine's own pages, and
 *   returned. From the C library's heap it leaves 0.7 MB of holes.
 * - `--memory-pool-timeout`: such pages are kept for 60 s, not for 8. After each compilation two threads
 *   woke up to return them, which makes a twentieth of the CPU time of a report (342 against 361 µs a
 *   second, four copies each). Without a pool it is the same, with 0.3 MB more.
 * - `--no-sparkplug`: without the simplest compiler, whose code for what is called less often takes 1.3 MB
 *   and leaves less room in the caches: 378 against 414 µs a second, six copies each, side by side.
 * - `--compact-on-every-full-gc`: a release moves what lives together, and returns the pages between: 0.4 MB.
 * - `--single-threaded-gc`: without helper threads of the collector. Not `--single-threaded`, which
 *   costs as little: with it the runtime runs none of the engine's own tasks. Marking in steps and the
 *   callbacks of finalization registries are such tasks, so that the heap grows to a multiple, and what
 *   the runtime lets go of in those callbacks stays for ever.
 */
export const V8_FLAGS = `--v8-flags=${
  [
    "--no-opt",
    "--invocation-count-for-maglev=30",
    "--minimum-invocations-after-ic-update=5",
    "--no-concurrent-recompilation",
    "--no-maglev-inlining",
    "--no-maglev-loop-peeling",
    "--max-semi-space-size=1",
    "--expose-gc",
    "--no-memory-reducer",
    "--bytecode-old-time=3",
    "--managed-zone-memory",
    "--memory-pool-timeout=60",
    "--no-sparkplug",
    "--compact-on-every-full-gc",
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
