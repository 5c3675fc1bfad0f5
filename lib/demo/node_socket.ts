/**
 * A WebSocket of the node, from its opening to its end.
 *
 * @module
 */

import type { WebSocket } from "ws";
import type { FaultPlayer } from "./fault_player.ts";
import type { NodeConnection, PanelNode } from "./node.ts";

/** The panel, as far as a WebSocket of the node needs it. */
export interface SocketPanel {
  readonly node: PanelNode;
  readonly faults: FaultPlayer;
  /** Time without data after which the panel drops it. */
  readonly dataTimeoutMs: number;
  /** Whether control pings count as data. */
  readonly acceptsPings: boolean;
}

/** A WebSocket, which becomes the node's present one when it is attached. */
export class NodeSocket implements NodeConnection {
  readonly version: "v1" | "v2";
  readonly #socket: WebSocket;
  readonly #panel: SocketPanel;
  #isAttached = false;
  #deadline: ReturnType<typeof setTimeout> | undefined;

  /** @param onMessage Handles a message; a failure closes the WebSocket. */
  constructor(
    socket: WebSocket,
    version: "v1" | "v2",
    panel: SocketPanel,
    onMessage: (message: string, connection: NodeSocket) => Promise<void>,
  ) {
    this.version = version;
    this.#socket = socket;
    this.#panel = panel;
    if (panel.acceptsPings) socket.on("ping", () => this.#restartDeadline());
    socket.on("message", (data) => {
      if (this.#isMute) return;
      this.#restartDeadline();
      onMessage(new TextDecoder().decode(data), this).catch(() => socket.terminate());
    });
    socket.on("close", () => {
      clearTimeout(this.#deadline);
      if (this.#isAttached) panel.node.detach(this);
    });
  }

  /** Whether it is, or was, the node's present one. */
  get isAttached(): boolean {
    return this.#isAttached;
  }

  /** Makes it the node's present one. */
  attach(): void {
    this.#isAttached = true;
    this.#panel.node.attach(this);
    this.#restartDeadline();
  }

  send(message: string | Uint8Array<ArrayBuffer>): void {
    if (!this.#isMute) this.#socket.send(message, () => {});
  }

  end(): void {
    this.#socket.terminate();
  }

  /** Whether nothing is sent or read at present. */
  get #isMute(): boolean {
    return this.#panel.faults.isMute("upgrade");
  }

  #restartDeadline(): void {
    if (!this.#isAttached) return;
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => {
      if (this.#isMute) this.#restartDeadline();
      else this.end();
    }, this.#panel.dataTimeoutMs);
  }
}
