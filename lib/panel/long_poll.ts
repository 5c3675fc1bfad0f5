import { delay } from "@std/async/delay";
import { backoffMs } from "../backoff.ts";
import type { PanelEvent } from "./messages.ts";

/** An answer without events that comes sooner is not followed by the next pull at once. */
const SHORTEST_POLL_MS = 1_000;
const PAUSES = { baseMs: 200, maxMs: 10_000 };

/** Settings of a long poll. */
export interface LongPollOptions {
  /** Waits for events and gives the new ones. */
  pull(signal: AbortSignal): Promise<readonly PanelEvent[]>;
  /** Handles new events; must not throw. */
  onEvents(events: readonly PanelEvent[]): void;
  /** Receives the error of a pull, or `undefined` after a success. */
  onOutcome(error: unknown): void;
}

/**
 * Pulls events from the panel, one call at a time, until the signal aborts.
 *
 * The delay between pulls grows while the panel answers at once without events, or fails.
 */
export async function longPoll(signal: AbortSignal, options: LongPollOptions): Promise<void> {
  let useless = 0;
  while (!signal.aborted) {
    const askedAtMs = performance.now();
    let useful = false;
    try {
      const events = await options.pull(signal);
      // Also after the signal has aborted: these events will be acknowledged.
      options.onEvents(events);
      if (signal.aborted) return;
      options.onOutcome(undefined);
      useful = events.length > 0 || performance.now() - askedAtMs >= SHORTEST_POLL_MS;
    } catch (error) {
      if (signal.aborted) return;
      options.onOutcome(error);
    }
    useless = useful ? 0 : useless + 1;
    await delay(backoffMs(useless, PAUSES), { signal }).catch(() => {});
  }
}
