/**
 * The node as the panel sees it: its WebSocket, its presence, and how orders reach it.
 *
 * @module
 */

import { EventQueue, notification, type Order } from "./event_queue.ts";
import type { PanelState } from "./panel_state.ts";

/** An open WebSocket of the node. */
export interface NodeConnection {
  readonly version: "v1" | "v2";
  send(message: string | Uint8Array<ArrayBuffer>): void;
  /** Closes the connection without a close frame. */
  end(): void;
}

/** The panel's only node. */
export class PanelNode {
  readonly state: PanelState;
  readonly queue = new EventQueue();
  /** Whether it fetches events by POST: it did so since its last WebSocket ended. */
  protected fetchesEvents = false;
  #connection: NodeConnection | undefined;

  constructor(state: PanelState) {
    this.state = state;
  }

  get connection(): NodeConnection | undefined {
    return this.#connection;
  }

  /** Whether orders can reach it. */
  get isReachable(): boolean {
    return this.#connection !== undefined || this.fetchesEvents;
  }

  /** Handles a report or a pull, whose answer brings events. */
  onContact(): void {
    this.fetchesEvents = true;
  }

  /** Replaces the present WebSocket; all waiting events are sent over the new one, without ids. */
  attach(connection: NodeConnection): void {
    this.#connection?.end();
    this.#connection = connection;
    if (connection.version === "v2") {
      this.fetchesEvents = true;
      const events = this.queue.poll([]);
      for (const { method, params } of events) connection.send(notification({ method, params }));
      this.queue.poll(events.map((event) => event.id));
    }
  }

  /** Handles the end of a WebSocket. */
  detach(connection: NodeConnection): void {
    if (this.#connection !== connection) return;
    this.#connection = undefined;
    this.fetchesEvents = false;
  }

  /** Sends an order, or queues it; false when the node can't be reached. */
  sendOrder(order: Order): boolean {
    if (this.#connection !== undefined) this.#connection.send(notification(order));
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
