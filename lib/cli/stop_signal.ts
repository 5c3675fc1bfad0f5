import { RESTART_SIGNAL } from "../host/this_program.ts";

/** `deno task` and `npx` pass on a Ctrl-C that the terminal has sent to the agent as well. */
const SAME_SIGNAL_MS = 1_000;

/**
 * Aborts at the first signal to end. A second one ends the process at once, with exit code 1, but not
 * within a second, when it is most likely the same one, passed on.
 */
export function listenForStop(): { signal: AbortSignal; isRestart: () => boolean } {
  const stop = new AbortController();
  let first: { signal: Deno.Signal; atMs: number } | undefined;
  for (const signal of ["SIGINT", "SIGTERM", RESTART_SIGNAL] as const) {
    Deno.addSignalListener(signal, () => {
      const atMs = performance.now();
      if (first === undefined) {
        first = { signal, atMs };
        stop.abort();
      } else if (atMs - first.atMs >= SAME_SIGNAL_MS) Deno.exit(1);
    });
  }
  return { signal: stop.signal, isRestart: () => first?.signal === RESTART_SIGNAL };
}
