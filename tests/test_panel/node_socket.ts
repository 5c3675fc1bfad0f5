import type { WebSocket } from "ws";
import type { GenerationNode, VersionedConnection } from "./generation_node.ts";

/** The panel, as far as a WebSocket of the node needs it. */
export interface SocketPanel {
  readonly node: GenerationNode;
  /** Whether nothing is sent or read on WebSockets. */
  readonly isMute: boolean;
  /** Time without data after which the panel drops it. */
  readonly dataTimeoutMs: number;
  /** Whether control pings count as data. */
  readonly acceptsPings: boolean;
}

/** A WebSocket, which becomes the node's present one when it is attached. */
export class NodeSocket implements VersionedConnection {
  readonly version: "v1" | "v2";
  readonly #socket: WebSocket;
  readonly #panel: SocketPanel;
  /** Whether it is, or was, the node's present one. */
  isAttached = false;
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
    socket.on("ping", (data) => {
      if (panel.isMute) return;
      if (panel.acceptsPings) this.#restartDeadline();
      socket.pong(data, undefined, () => {});
    });
    socket.on("message", (data) => {
      if (panel.isMute) return;
      this.#restartDeadline();
      onMessage(new TextDecoder().decode(data), this).catch(() => socket.terminate());
    });
    socket.on("close", () => {
      clearTimeout(this.#deadline);
      if (this.isAttached) panel.node.detach(this);
    });
  }

  /** Makes it the node's present one. */
  attach(): void {
    this.isAttached = true;
    this.#panel.node.attach(this);
    this.#restartDeadline();
  }

  send(message: string | Uint8Array<ArrayBuffer>): void {
    if (!this.#panel.isMute) this.#socket.send(message, () => {});
  }

  end(): void {
    this.#socket.terminate();
  }

  #restartDeadline(): void {
    if (!this.isAttached) return;
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => {
      if (this.#panel.isMute) this.#restartDeadline();
      else this.end();
    }, this.#panel.dataTimeoutMs);
  }
}
