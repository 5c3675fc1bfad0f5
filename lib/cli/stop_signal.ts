import { RESTART_SIGNAL } from "../host/this_program.ts";

/** The system's functions that {@linkcode listenForStop} uses. */
export interface SignalSystem {
  addSignalListener(signal: Deno.Signal, handler: () => void): void;
  /** Ends the process at once. */
  exit(): void;
  nowMs(): number;
}

/** `deno task` and `npx` pass on a Ctrl-C that the terminal has sent to the agent as well. */
const SAME_SIGNAL_MS = 1_000;

/**
 * Aborts at the first signal to end. A second one ends the process at once, but not within a second,
 * when it is most likely the same one, passed on.
 */
export function listenForStop(
  system: SignalSystem,
): { signal: AbortSignal; isRestart: () => boolean } {
  const stop = new AbortController();
  let first: { signal: Deno.Signal; atMs: number } | undefined;
  for (const signal of ["SIGINT", "SIGTERM", RESTART_SIGNAL] as const) {
    system.addSignalListener(signal, () => {
      const atMs = system.nowMs();
      if (first === undefined) {
        first = { signal, atMs };
        stop.abort();
      } else if (atMs - first.atMs >= SAME_SIGNAL_MS) system.exit();
    });
  }
  return { signal: stop.signal, isRestart: () => first?.signal === RESTART_SIGNAL };
}
