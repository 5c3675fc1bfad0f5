/**
 * The node as the panel sees it: its WebSocket, what it counts as, and how orders reach it.
 *
 * @module
 */

import { EventQueue } from "./event_queue.ts";
import { callOf, envelope, type Order, orderMessage } from "./order.ts";
import type { PanelState } from "./panel_state.ts";

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
