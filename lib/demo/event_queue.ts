/**
 * Orders of the panel, in the messages of both versions, and the queue of those that wait for a
 * node without a WebSocket.
 *
 * @module
 */

/** A probe, a command or a terminal. */
export type Order =
  | { readonly ping: { readonly id: number; readonly kind: string; readonly target: string } }
  | { readonly exec: { readonly taskId: string; readonly command: string } }
  | { readonly terminal: { readonly requestId: string } };

/** A JSON-RPC notification from the panel to an agent. */
export interface OrderCall {
  readonly method: string;
  readonly params: Readonly<Record<string, unknown>>;
}

/** An order that waits, as v2 sends it. */
export interface QueuedEvent extends OrderCall {
  readonly id: string;
  /** RFC 3339, like all times on the wire. */
  readonly created_at: string;
  readonly expires_at: string;
}

/** The order as method and parameters of v2. */
export function orderCall(order: Order): OrderCall {
  if ("ping" in order) {
    const { id, kind, target } = order.ping;
    return {
      method: "agent.ping",
      params: { ping_task_id: id, ping_type: kind, ping_target: target },
    };
  }
  if ("exec" in order) {
    const { taskId, command } = order.exec;
    return { method: "agent.exec", params: { task_id: taskId, command } };
  }
  return {
    method: "agent.terminal.request",
    params: { request_id: order.terminal.requestId },
  };
}

/** The order as a WebSocket message; terminals are requested in the shape of v1 in any case. */
export function orderMessage(order: Order, options: { version: 1 | 2 }): string {
  const { method, params } = orderCall(order);
  if (options.version === 2 && !("terminal" in order)) return envelope({ method, params });
  const message = "ping" in order ? "ping" : "exec" in order ? "exec" : "terminal";
  return `${JSON.stringify({ message, ...params })}\n`;
}

/** A call in its JSON-RPC envelope, with the newline that the panel adds. */
export function envelope(call: OrderCall): string {
  return `${JSON.stringify({ jsonrpc: "2.0", ...call })}\n`;
}

const PING_LIFETIME_MS = 3_000;
const LIFETIME_MS = 5 * 60_000;
const MAX_EVENTS = 128;

/** Events until they are acknowledged, expired or too many. */
export class EventQueue {
  #events: QueuedEvent[] = [];
  readonly #waiting = new Set<() => void>();

  /** Adds an order; a ping replaces an older one of the same task. */
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
      expires_at: new Date(now + (isPing ? PING_LIFETIME_MS : LIFETIME_MS)).toISOString(),
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
    options: { waitMs: number; signal: AbortSignal },
  ): Promise<readonly QueuedEvent[]> {
    const events = this.poll(acknowledged);
    if (events.length > 0 || options.signal.aborted) return events;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, options.waitMs);
    this.#waiting.add(resolve);
    options.signal.addEventListener("abort", () => resolve(), { once: true });
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(resolve);
    }
    return this.poll([]);
  }
}
