/**
 * The node as the panel sees it: its WebSocket, its version, its presence, and how orders reach it.
 *
 * @module
 */

import { envelope, EventQueue, legacyMessage, type Order, orderCall } from "./event_queue.ts";
import type { Generation } from "./generation.ts";
import type { PanelState } from "./panel_state.ts";

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
  readonly #generation: Generation;
  #socket: NodeSocket | undefined;
  /** The version that the panel assumes, which is not always the one that the node speaks. */
  #version: 1 | 2 = 1;
  #presentUntilMs = 0;

  constructor(options: { state: PanelState; generation: Generation }) {
    this.#state = options.state;
    this.#generation = options.generation;
  }

  get socket(): NodeSocket | undefined {
    return this.#socket;
  }

  /** Whether orders can reach it. */
  get isReachable(): boolean {
    return this.#socket !== undefined || this.#version === 2;
  }

  /** Whether the panel shows it as online. */
  get isOnline(): boolean {
    return this.#socket !== undefined || performance.now() < this.#presentUntilMs;
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
    const { hasV1, hasSessions, managesAgents } = this.#generation;
    const isManagement = "startupConfig" in order || "switchVersion" in order;
    if ((isManagement && !managesAgents) || ("file" in order && !hasSessions)) return false;
    // Panels that know v1 request terminals in its shape, and only over a WebSocket.
    const isLegacy = hasV1 && (this.#version === 1 || "terminal" in order);
    if (this.#socket !== undefined) {
      this.#socket.send(isLegacy ? legacyMessage(order) : envelope(orderCall(order)));
      return true;
    }
    if (this.#version === 1 || isLegacy) return false;
    this.queue.add(orderCall(order));
    return true;
  }

  #extendPresence(): void {
    const now = performance.now();
    // A flaw of panels that know v1: a node that appears counts as one of v1 until its next message.
    if (this.#generation.hasV1 && now > this.#presentUntilMs) this.#version = 1;
    this.#presentUntilMs = now + this.#generation.presenceMs;
  }
}
