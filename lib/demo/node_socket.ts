/**
 * A WebSocket of the node, from its opening to its end.
 *
 * @module
 */

import type { WebSocket } from "ws";
import type { NodeConnection, PanelNode } from "./node.ts";

/** How a WebSocket is served. */
export interface NodeSocketOptions {
  readonly node: PanelNode;
  /** Time without data after which the panel drops it. */
  readonly dataTimeoutMs: number;
  /** Whether control pings count as data. */
  readonly acceptsPings: boolean;
  /** Aborts when the panel closes. */
  readonly signal: AbortSignal;
  /** Whether nothing is sent or read at present. */
  readonly isMute: () => boolean;
  /** Handles a message; a failure closes the WebSocket. */
  readonly onMessage: (message: string, connection: NodeSocket) => Promise<void>;
}

/** A WebSocket, which becomes the node's present one when it is attached. */
export class NodeSocket implements NodeConnection {
  readonly version: "v1" | "v2";
  readonly #socket: WebSocket;
  readonly #options: NodeSocketOptions;
  #isAttached = false;
  #deadline: ReturnType<typeof setTimeout> | undefined;

  constructor(socket: WebSocket, version: "v1" | "v2", options: NodeSocketOptions) {
    this.version = version;
    this.#socket = socket;
    this.#options = options;
    const { isMute, onMessage, node, signal } = options;
    const stopDeadline = () => clearTimeout(this.#deadline);
    signal.addEventListener("abort", stopDeadline, { once: true });
    if (options.acceptsPings) socket.on("ping", () => this.#restartDeadline());
    socket.on("message", (data) => {
      if (isMute()) return;
      this.#restartDeadline();
      onMessage(new TextDecoder().decode(data), this).catch(() => socket.terminate());
    });
    socket.on("close", () => {
      stopDeadline();
      signal.removeEventListener("abort", stopDeadline);
      if (this.#isAttached) node.detach(this);
    });
  }

  /** Whether it is, or was, the node's present one. */
  get isAttached(): boolean {
    return this.#isAttached;
  }

  /** Makes it the node's present one. */
  attach(): void {
    this.#isAttached = true;
    this.#options.node.attach(this);
    this.#restartDeadline();
  }

  send(message: string | Uint8Array<ArrayBuffer>): void {
    if (!this.#options.isMute()) this.#socket.send(message, () => {});
  }

  end(): void {
    this.#socket.terminate();
  }

  #restartDeadline(): void {
    if (!this.#isAttached) return;
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => {
      if (this.#options.isMute()) this.#restartDeadline();
      else this.end();
    }, this.#options.dataTimeoutMs);
  }
}
