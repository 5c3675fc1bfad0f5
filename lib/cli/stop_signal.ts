/** `deno task` and `npx` pass on a Ctrl-C that the terminal has sent to the agent as well. */
const SAME_SIGNAL_MS = 1_000;

/**
 * Aborts at the first signal to end. A second one ends the process at once, with exit code 1, but not
 * within a second, when it is most likely the same one, passed on.
 */
export function listenForStop(): AbortSignal {
  const stop = new AbortController();
  let firstAtMs: number | undefined;
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => {
      const atMs = performance.now();
      if (firstAtMs === undefined) {
        firstAtMs = atMs;
        stop.abort();
      } else if (atMs - firstAtMs >= SAME_SIGNAL_MS) Deno.exit(1);
    });
  }
  return stop.signal;
}
