import { delay } from "@std/async/delay";
import { backoffMs } from "../async/backoff.ts";
import type { MessageReceiver } from "./message_receiver.ts";
import { PanelError } from "./panel_error.ts";
import type { PanelConnection } from "./panel_connection.ts";

/** An answer without events that comes sooner is not followed by the next pull at once. */
const SHORTEST_POLL_MS = 1_000;
const PAUSES = { baseMs: 200, maxMs: 10_000 };

interface PollOptions {
  readonly receiver: MessageReceiver;
  readonly signal: AbortSignal;
}

/**
 * Pulls events from the panel, one call at a time, until the signal aborts.
 *
 * The delay between pulls grows while the panel answers at once without events, or fails.
 */
export async function longPoll(connection: PanelConnection, options: PollOptions): Promise<void> {
  const { signal } = options;
  let useless = 0;
  while (!signal.aborted) {
    const askedAtMs = performance.now();
    let useful = false;
    let failure: unknown;
    try {
      const hasEvents = await pullOnce(connection, options);
      useful = hasEvents || performance.now() - askedAtMs >= SHORTEST_POLL_MS;
    } catch (error) {
      failure = error;
    }
    if (signal.aborted) return;
    connection.tell(failure, "pull");
    useless = useful ? 0 : useless + 1;
    const { retryAfterMs = 0 } = failure instanceof PanelError ? failure : {};
    const pauseMs = Math.max(backoffMs(useless, PAUSES), retryAfterMs);
    await delay(pauseMs, { signal }).catch(() => {});
  }
}

/**
 * Pulls once, and handles the events; whether there were any. In a function of its own, as the loop
 * would keep the last events, of megabytes, until the next ones come.
 */
async function pullOnce(
  { clientV2 }: PanelConnection,
  { receiver, signal }: PollOptions,
): Promise<boolean> {
  const events = await clientV2.pull(signal);
  // Also after the signal has aborted: these events will be acknowledged.
  await receiver.onEvents(events, signal);
  return events.length > 0;
}
