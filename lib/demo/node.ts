/**
 * The node as the panel sees it: its WebSocket, its presence, and how orders reach it, which wait in a
 * queue for a node without a WebSocket.
 *
 * @module
 */

import { settlesWithin } from "../async/timeout.ts";
import type { PanelState } from "./panel_state.ts";

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

/** An open WebSocket of the node. */
export interface NodeConnection {
  send(message: string): void;
  /** Closes the connection. */
  end(): void;
}

/** The panel's only node. */
export class PanelNode {
  readonly state: PanelState;
  readonly queue = new EventQueue();
  /** Whether it fetches events by POST: it did so since its last WebSocket ended. */
  protected fetchesEvents = false;
  /** The present WebSocket. */
  connection: NodeConnection | undefined;

  constructor(state: PanelState) {
    this.state = state;
  }

  /** Whether orders can reach it. */
  get isReachable(): boolean {
    return this.connection !== undefined || this.fetchesEvents;
  }

  /** Handles a report or a pull, whose answer brings events. */
  onContact(): void {
    this.fetchesEvents = true;
  }

  /** Replaces the present WebSocket; all waiting events are sent over the new one, without ids. */
  attach(connection: NodeConnection): void {
    this.connection?.end();
    this.connection = connection;
    this.fetchesEvents = true;
    const events = this.queue.poll([]);
    for (const { method, params } of events) connection.send(notification({ method, params }));
    this.queue.poll(events.map((event) => event.id));
  }

  /** Handles the end of a WebSocket. */
  detach(connection: NodeConnection): void {
    if (this.connection !== connection) return;
    this.connection = undefined;
    this.fetchesEvents = false;
  }

  /** Sends an order, or queues it; false when the node can't be reached. */
  sendOrder(order: Order): boolean {
    if (this.connection !== undefined) this.connection.send(notification(order));
    else if (this.fetchesEvents) this.queue.add(order);
    else return false;
    return true;
  }

  /** Orders a probe; false when the node can't be reached. */
  sendPing(
    { id, kind, target, reference }: {
      id: number;
      kind: string;
      target: string;
      reference?: string | undefined;
    },
  ): boolean {
    const params = {
      ...{ ping_task_id: id, ping_type: kind, ping_target: target },
      ...(reference !== undefined && { ping_reference: reference }),
    };
    return this.sendOrder({ method: "agent.ping", params });
  }
}
