import type { Order } from "../../lib/demo/event_queue.ts";
import { PanelNode } from "../../lib/demo/node.ts";
import type { Generation } from "./generation.ts";
import type { TestPanelState } from "./test_panel_state.ts";

/** The node as a panel of any generation sees it. */
export class GenerationNode extends PanelNode {
  override readonly state: TestPanelState;
  override readonly presenceMs: number;
  readonly #generation: Generation;
  readonly #onOrder: (order: Order) => void;

  constructor(
    state: TestPanelState,
    { generation, onOrder }: { generation: Generation; onOrder: (order: Order) => void },
  ) {
    super(state);
    this.state = state;
    this.presenceMs = generation.presenceMs;
    this.#generation = generation;
    this.#onOrder = onOrder;
  }

  /** Handles a report of version 1, which over WebSocket makes the node not present. */
  onV1Report({ isPresent }: { isPresent: boolean }): void {
    if (isPresent) this.onContact();
    this.countAsV1();
  }

  /** Takes the node for one of version 1 until its next message. */
  countAsV1(): void {
    this.fetchesEvents = false;
  }

  override sendOrder(order: Order): boolean {
    const { hasV1, hasSessions, managesAgents } = this.#generation;
    const { method } = order;
    const isManagement = method === "agent.startupConfig" || method === "agent.switchVersion";
    if ((isManagement && !managesAgents) || (method === "agent.file" && !hasSessions)) return false;
    // Panels that know v1 request terminals in its shape, and only over a WebSocket.
    const isLegacy = hasV1 && (!this.fetchesEvents || method === "agent.terminal.request");
    if (isLegacy) this.connection?.send(legacyMessage(order));
    const isSent = isLegacy ? this.connection !== undefined : super.sendOrder(order);
    if (isSent) this.#onOrder(order);
    return isSent;
  }
}

/** The order in the shape of v1, for a WebSocket of either version. */
function legacyMessage({ method, params }: Order): string {
  const message = method === "agent.ping" ? "ping" : method === "agent.exec" ? "exec" : "terminal";
  return `${JSON.stringify({ message, ...params })}\n`;
}
