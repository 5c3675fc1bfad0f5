import { delay } from "@std/async/delay";
import type { Health } from "../host/health_file.ts";

/** How long is looked where nothing else is said. */
export const WATCH_MS = 60_000;
/** How often is looked where nothing else is said. */
export const LOOK_EVERY_MS = 500;

/** How long is looked, and how often. */
export interface Watch {
  /** 60 s when absent. */
  readonly watchMs?: number;
  /** 500 ms when absent. */
  readonly lookEveryMs?: number;
}

/**
 * Whether the panel accepts a report of a version within the time.
 *
 * Two looks have to see it, for an agent that just starts has not set its mark yet.
 */
export async function provesItself(
  version: string,
  { health, watch: { watchMs = WATCH_MS, lookEveryMs = LOOK_EVERY_MS }, signal }: {
    health: () => Health | undefined;
    watch: Watch;
    signal: AbortSignal;
  },
): Promise<boolean> {
  const end = performance.now() + watchMs;
  let seen: number | undefined;
  while (performance.now() < end) {
    const found = health();
    const reports = found?.isRunning === true && found.version === version &&
      found.acceptedAtMs !== undefined;
    if (reports && seen === found.pid) return true;
    seen = reports ? found.pid : undefined;
    await delay(lookEveryMs, { signal });
  }
  return false;
}
