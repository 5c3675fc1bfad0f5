import type { Order } from "../../lib/demo/node.ts";
import { type NodeConnection, PanelNode } from "../../lib/demo/node.ts";
import type { Generation } from "./generation.ts";
import type { TestPanelState } from "./test_panel_state.ts";

/** A WebSocket of either version. */
export interface VersionedConnection extends NodeConnection {
  readonly version: "v1" | "v2";
  send(message: string | Uint8Array<ArrayBuffer>): void;
}

/** The node as a panel of any generation sees it. */
export class GenerationNode extends PanelNode {
  override readonly state: TestPanelState;
  override connection: VersionedConnection | undefined = undefined;
  readonly #generation: Generation;
  readonly #onOrder: (order: Order) => void;
  #presentUntilMs = 0;

  constructor(
    state: TestPanelState,
    { generation, onOrder }: { generation: Generation; onOrder: (order: Order) => void },
  ) {
    super(state);
    this.state = state;
    this.#generation = generation;
    this.#onOrder = onOrder;
  }

  /** Whether a report or a pull came lately. */
  get isPresent(): boolean {
    return performance.now() < this.#presentUntilMs;
  }

  /** Whether the panel shows it as online. */
  get isOnline(): boolean {
    return this.connection !== undefined || this.isPresent;
  }

  override onContact(): void {
    this.#presentUntilMs = performance.now() + this.#generation.presenceMs;
    super.onContact();
  }

  override attach(connection: VersionedConnection): void {
    if (connection.version === "v2") {
      super.attach(connection);
    } else {
      this.connection?.end();
      this.connection = connection;
    }
    const { opened, closed } = this.state.sockets;
    this.state.sockets = { present: connection.version, opened: opened + 1, closed };
  }

  override detach(connection: VersionedConnection): void {
    super.detach(connection);
    const { opened, closed } = this.state.sockets;
    this.state.sockets = { present: this.connection?.version, opened, closed: closed + 1 };
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

  /**
   * Sends a command and returns its task id.
   *
   * @throws {Error} When the node can't be reached (`Cannot send …`).
   */
  sendCommand(command: string): string {
    const taskId = crypto.getRandomValues(new Uint8Array(8)).toHex();
    if (!this.sendOrder({ method: "agent.exec", params: { task_id: taskId, command } })) {
      throw new Error("Cannot send a command: the node has no WebSocket and polls no events");
    }
    return taskId;
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
