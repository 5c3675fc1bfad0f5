/**
 * Orders of the panel, and the queue of those that wait for a node without a WebSocket.
 *
 * @module
 */

import { settlesWithin } from "../async/timeout.ts";

/** An order of the panel to an agent: a notification of JSON-RPC. */
export interface Order {
  readonly method: string;
  readonly params: Readonly<Record<string, unknown>>;
}

/** An order that waits, as it is sent. */
export interface QueuedEvent extends Order {
  readonly id: string;
  /** RFC 3339, like all times on the wire. */
  readonly created_at: string;
  readonly expires_at: string;
}

/** An order in its JSON-RPC envelope, with the newline that the panel adds. */
export function notification(order: Order): string {
  return `${JSON.stringify({ jsonrpc: "2.0", ...order })}\n`;
}

const LIFETIME_MS = 5 * 60_000;
/** Lifetimes of events that live shorter. */
const lifetimesMs: Readonly<Record<string, number>> = {
  "agent.ping": 3_000,
  "agent.file": 2 * 60_000,
  "agent.startupConfig": 20_000,
};
const MAX_EVENTS = 128;

/** Events until they are acknowledged, expired or too many. */
export class EventQueue {
  #events: QueuedEvent[] = [];
  readonly #waiting = new Set<() => void>();

  /** Adds an order; a ping replaces an older one of the same task, a terminal one of the same id. */
  add(order: Order): void {
    const now = Date.now();
    const key = replacementKey(order);
    if (key !== undefined) {
      this.#events = this.#events.filter((event) => replacementKey(event) !== key);
    }
    this.#events.push({
      id: crypto.getRandomValues(new Uint8Array(8)).toHex(),
      ...order,
      created_at: new Date(now).toISOString(),
      expires_at: new Date(now + (lifetimesMs[order.method] ?? LIFETIME_MS)).toISOString(),
    });
    this.#events = this.#events.slice(-MAX_EVENTS);
    for (const wake of [...this.#waiting]) wake();
  }

  /** Removes acknowledged events and returns the oldest of the rest. */
  poll(acknowledged: readonly string[], limit: number = MAX_EVENTS): readonly QueuedEvent[] {
    const now = Date.now();
    this.#events = this.#events.filter((event) =>
      !acknowledged.includes(event.id) && Date.parse(event.expires_at) > now
    );
    return this.#events.slice(0, limit);
  }

  /** Like `poll()`, but waits for an event while there is none; an abort ends the wait. */
  async longPoll(
    acknowledged: readonly string[],
    { waitMs, signal }: { waitMs: number; signal: AbortSignal },
  ): Promise<readonly QueuedEvent[]> {
    const events = this.poll(acknowledged);
    if (events.length > 0) return events;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.add(resolve);
    await settlesWithin(promise, waitMs, { signal });
    this.#waiting.delete(resolve);
    return this.poll([]);
  }
}

/** A newer event replaces an older one of the same key; `undefined` when it replaces none. */
function replacementKey({ method, params }: Order): string | undefined {
  const task = params["ping_task_id"];
  if (method === "agent.ping") return task === 0 ? undefined : `ping ${task}`;
  return method === "agent.terminal.request" ? `terminal ${params["request_id"]}` : undefined;
}
