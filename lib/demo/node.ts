/**
 * What the panel asks of an agent, in the shapes of both versions.
 *
 * The orders that wait for a node without a WebSocket.
 *
 * The node as the panel sees it: its WebSocket, what it counts as, and how orders reach it.
 *
 * @module
 */

import type { PanelState } from "./panel_state.ts";

/** A probe, a command or a terminal. */
export type Order =
  | { readonly ping: { readonly id: number; readonly kind: string; readonly target: string } }
  | { readonly exec: { readonly taskId: string; readonly command: string } }
  | { readonly terminal: { readonly requestId: string } };

/** A call of JSON-RPC from the panel to an agent; it never has an id. */
export interface OrderCall {
  readonly method: string;
  readonly params: Readonly<Record<string, unknown>>;
}

/** The order as a method and its parameters, as v2 names them. */
export function callOf(order: Order): OrderCall {
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

/** The order as a message over a WebSocket; a terminal is asked for in the shape of v1 alone. */
export function orderMessage(order: Order, options: { version: 1 | 2 }): string {
  const { method, params } = callOf(order);
  if (options.version === 2 && !("terminal" in order)) return envelope({ method, params });
  const message = "ping" in order ? "ping" : "exec" in order ? "exec" : "terminal";
  return `${JSON.stringify({ message, ...params })}\n`;
}

/** A call in its envelope, with the line's end that the panel adds. */
export function envelope(call: OrderCall): string {
  return `${JSON.stringify({ jsonrpc: "2.0", ...call })}\n`;
}

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

/** How long a report by POST keeps a node online. */
const PRESENCE_MS = 35_000;

/** A WebSocket of the node that stands. */
export interface NodeSocket {
  readonly version: 1 | 2;
  send(message: string | Uint8Array<ArrayBuffer>): void;
  /** Ends it without a word. */
  end(): void;
}

/** One node; the panel has no other. */
export class Node {
  readonly queue = new EventQueue();
  readonly #state: PanelState;
  #socket: NodeSocket | undefined;
  /** What the panel takes the node for, which is not always what it speaks. */
  #version: 1 | 2 = 1;
  #presentUntilMs = 0;

  constructor(state: PanelState) {
    this.#state = state;
  }

  get socket(): NodeSocket | undefined {
    return this.#socket;
  }

  /** Whether orders have a way to it. */
  get isReachable(): boolean {
    return this.#socket !== undefined || this.#version === 2;
  }

  /** A report came: by v2, or by v1 POST, which both make the node present, or by v1 WebSocket. */
  reported(version: 1 | 2, options: { presence: boolean }): void {
    this.#version = version;
    if (options.presence) this.#refreshPresence();
  }

  /** A pull came. */
  pulled(): void {
    this.#refreshPresence();
    this.#version = 2;
  }

  /** A WebSocket took the place of the present one; all waiting events go over it, without ids. */
  connected(socket: NodeSocket): void {
    this.#socket?.end();
    this.#socket = socket;
    if (socket.version === 2) {
      this.#version = 2;
      const events = this.queue.take([]);
      for (const { method, params } of events) socket.send(envelope({ method, params }));
      this.queue.take(events.map((event) => event.id));
    }
    const { opened, closed } = this.#state.sockets;
    this.#state.sockets = { present: `v${socket.version}`, opened: opened + 1, closed };
  }

  /** A WebSocket ended. */
  disconnected(socket: NodeSocket): void {
    const { opened, closed, present } = this.#state.sockets;
    const isPresent = this.#socket === socket;
    if (isPresent) {
      this.#socket = undefined;
      this.#version = 1;
    }
    const rest = isPresent || present === undefined ? {} : { present };
    this.#state.sockets = { ...rest, opened, closed: closed + 1 };
  }

  /** Sends an order by the way that there is; false when there is none. */
  order(order: Order): boolean {
    if (this.#socket !== undefined) {
      this.#socket.send(orderMessage(order, { version: this.#version }));
      return true;
    }
    if (this.#version === 1 || "terminal" in order) return false;
    this.queue.add(callOf(order));
    return true;
  }

  #refreshPresence(): void {
    const now = performance.now();
    // The real panel's slip: whoever appears counts as a node of v1 until its next message.
    if (now > this.#presentUntilMs) this.#version = 1;
    this.#presentUntilMs = now + PRESENCE_MS;
  }
}
