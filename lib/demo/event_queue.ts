/**
 * The orders that wait for a node without a WebSocket.
 *
 * @module
 */

import type { OrderCall } from "./order.ts";

/** An order with its name and its life span, as it stands on the wire. */
export interface PanelEvent extends OrderCall {
  readonly id: string;
  /** RFC 3339, as are all times on the wire. */
  readonly created_at: string;
  readonly expires_at: string;
}

const PING_LIFE_MS = 3_000;
const LIFE_MS = 5 * 60_000;
const MOST_EVENTS = 128;

/** Events until they are acknowledged, too old or too many. */
export class EventQueue {
  #events: PanelEvent[] = [];
  readonly #waiting = new Set<() => void>();

  /** Adds an order; a ping takes the place of an older one of the same task. */
  add(call: OrderCall): void {
    const now = Date.now();
    const isPing = call.method === "agent.ping";
    const task = call.params["ping_task_id"];
    if (isPing && task !== 0) {
      this.#events = this.#events.filter((event) =>
        event.method !== call.method || event.params["ping_task_id"] !== task
      );
    }
    this.#events.push({
      id: crypto.getRandomValues(new Uint8Array(8)).toHex(),
      ...call,
      created_at: new Date(now).toISOString(),
      expires_at: new Date(now + (isPing ? PING_LIFE_MS : LIFE_MS)).toISOString(),
    });
    this.#events = this.#events.slice(-MOST_EVENTS);
    for (const wake of [...this.#waiting]) wake();
  }

  /** Forgets what is acknowledged, and gives the oldest of the rest. */
  take(acknowledged: readonly string[], most: number = MOST_EVENTS): readonly PanelEvent[] {
    const now = Date.now();
    this.#events = this.#events.filter((event) =>
      !acknowledged.includes(event.id) && Date.parse(event.expires_at) > now
    );
    return this.#events.slice(0, most);
  }

  /** Like `take()`, but waits for an event while there is none; an abort ends the wait. */
  async wait(
    acknowledged: readonly string[],
    options: { holdMs: number; signal: AbortSignal },
  ): Promise<readonly PanelEvent[]> {
    const events = this.take(acknowledged);
    if (events.length > 0 || options.signal.aborted) return events;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, options.holdMs);
    this.#waiting.add(resolve);
    options.signal.addEventListener("abort", () => resolve(), { once: true });
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(resolve);
    }
    return this.take([]);
  }
}
