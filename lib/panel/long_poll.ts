import { delay } from "@std/async/delay";
import type { PanelEvent } from "./messages.ts";

/** An answer that comes sooner than this without anything new is no answer worth asking for again at once. */
const SHORTEST_MS = 1_000;
const SHORTEST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 10_000;

/** What a loop works with. */
export interface LongPollOptions {
  /** Waits for events at the panel; those that are new. */
  pull(signal: AbortSignal): Promise<readonly PanelEvent[]>;
  onEvents(events: readonly PanelEvent[]): void;
  /** Told how it went; trouble is not thrown. */
  onOutcome(error: unknown): void;
}

/**
 * Asks the panel for events, one question at a time, until the signal aborts.
 *
 * A panel that answers at once and says nothing, or fails, is asked less and less often.
 */
export async function longPoll(signal: AbortSignal, options: LongPollOptions): Promise<void> {
  let pauseMs = SHORTEST_PAUSE_MS;
  while (!signal.aborted) {
    const askedAtMs = performance.now();
    let useful = false;
    try {
      const events = await options.pull(signal);
      // Also when the signal has just aborted: the panel will be told that these have arrived.
      options.onEvents(events);
      if (signal.aborted) return;
      options.onOutcome(undefined);
      useful = events.length > 0 || performance.now() - askedAtMs >= SHORTEST_MS;
    } catch (error) {
      if (signal.aborted) return;
      options.onOutcome(error);
    }
    pauseMs = useful ? SHORTEST_PAUSE_MS : Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
    await delay(pauseMs, { signal }).catch(() => {});
  }
}
