/**
 * Orders of the panel, in the messages of both versions, and the queue of those that wait for a
 * node without a WebSocket.
 *
 * @module
 */

/** An order of the panel to an agent. */
export type Order =
  | { readonly ping: { readonly id: number; readonly kind: string; readonly target: string } }
  | { readonly exec: { readonly taskId: string; readonly command: string } }
  | { readonly terminal: { readonly requestId: string } }
  | {
    readonly file: {
      readonly uuid: string;
      readonly requestId: string;
      readonly op: string;
      readonly args: Readonly<Record<string, unknown>>;
    };
  }
  | { readonly startupConfig: { readonly requestId: string } }
  | { readonly switchVersion: { readonly version: string } };

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
  if ("terminal" in order) {
    const params = { request_id: order.terminal.requestId };
    return { method: "agent.terminal.request", params };
  }
  if ("file" in order) {
    const { uuid, requestId, op, args } = order.file;
    return { method: "agent.file", params: { uuid, request_id: requestId, op, args } };
  }
  if ("startupConfig" in order) {
    const params = { request_id: order.startupConfig.requestId };
    return { method: "agent.startupConfig", params };
  }
  return { method: "agent.switchVersion", params: { version: order.switchVersion.version } };
}

/** The order in the shape of v1, for a WebSocket of either version. */
export function legacyMessage(order: Order): string {
  const message = "ping" in order ? "ping" : "exec" in order ? "exec" : "terminal";
  return `${JSON.stringify({ message, ...orderCall(order).params })}\n`;
}

/** A call in its JSON-RPC envelope, with the newline that the panel adds. */
export function envelope(call: OrderCall): string {
  return `${JSON.stringify({ jsonrpc: "2.0", ...call })}\n`;
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
  add(call: OrderCall): void {
    const now = Date.now();
    const key = replacementKey(call);
    if (key !== undefined) {
      this.#events = this.#events.filter((event) => replacementKey(event) !== key);
    }
    this.#events.push({
      id: crypto.getRandomValues(new Uint8Array(8)).toHex(),
      ...call,
      created_at: new Date(now).toISOString(),
      expires_at: new Date(now + (lifetimesMs[call.method] ?? LIFETIME_MS)).toISOString(),
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

/** A newer event replaces an older one of the same key; `undefined` when it replaces none. */
function replacementKey({ method, params }: OrderCall): string | undefined {
  const task = params["ping_task_id"];
  if (method === "agent.ping") return task === 0 ? undefined : `ping ${task}`;
  return method === "agent.terminal.request" ? `terminal ${params["request_id"]}` : undefined;
}
