/**
 * The node as the panel sees it: its WebSocket, its version, its presence, and how orders reach it.
 *
 * @module
 */

import { envelope, EventQueue, type Order, orderCall, orderMessage } from "./event_queue.ts";
import type { PanelState } from "./panel_state.ts";

/** How long a report by POST keeps a node online. */
const PRESENCE_MS = 35_000;

/** An open WebSocket of the node. */
export interface NodeSocket {
  readonly version: 1 | 2;
  send(message: string | Uint8Array<ArrayBuffer>): void;
  /** Closes the connection without a close frame. */
  end(): void;
}

/** The panel's only node. */
export class PanelNode {
  readonly queue = new EventQueue();
  readonly #state: PanelState;
  #socket: NodeSocket | undefined;
  /** The version that the panel assumes, which is not always the one that the node speaks. */
  #version: 1 | 2 = 1;
  #presentUntilMs = 0;

  constructor(state: PanelState) {
    this.#state = state;
  }

  get socket(): NodeSocket | undefined {
    return this.#socket;
  }

  /** Whether orders can reach it. */
  get isReachable(): boolean {
    return this.#socket !== undefined || this.#version === 2;
  }

  /** Handles a report; one of v2 or by POST makes the node present, one over v1 WebSocket not. */
  onReport(version: 1 | 2, options: { presence: boolean }): void {
    this.#version = version;
    if (options.presence) this.#extendPresence();
  }

  /** Handles a pull. */
  onPull(): void {
    this.#extendPresence();
    this.#version = 2;
  }

  /** Replaces the present WebSocket; all waiting events are sent over the new one, without ids. */
  attachSocket(socket: NodeSocket): void {
    this.#socket?.end();
    this.#socket = socket;
    if (socket.version === 2) {
      this.#version = 2;
      const events = this.queue.poll([]);
      for (const { method, params } of events) socket.send(envelope({ method, params }));
      this.queue.poll(events.map((event) => event.id));
    }
    const { opened, closed } = this.#state.sockets;
    this.#state.sockets = { present: `v${socket.version}`, opened: opened + 1, closed };
  }

  /** Handles the end of a WebSocket. */
  detachSocket(socket: NodeSocket): void {
    const { opened, closed, present } = this.#state.sockets;
    const isPresent = this.#socket === socket;
    if (isPresent) {
      this.#socket = undefined;
      this.#version = 1;
    }
    this.#state.sockets = {
      present: isPresent ? undefined : present,
      opened,
      closed: closed + 1,
    };
  }

  /** Sends an order, or queues it; false when the node can't be reached. */
  sendOrder(order: Order): boolean {
    if (this.#socket !== undefined) {
      this.#socket.send(orderMessage(order, { version: this.#version }));
      return true;
    }
    if (this.#version === 1 || "terminal" in order) return false;
    this.queue.add(orderCall(order));
    return true;
  }

  #extendPresence(): void {
    const now = performance.now();
    // A flaw of the real panel: a node that appears counts as one of v1 until its next message.
    if (now > this.#presentUntilMs) this.#version = 1;
    this.#presentUntilMs = now + PRESENCE_MS;
  }
}
