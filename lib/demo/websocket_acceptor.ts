/**
 * Accepts WebSockets with the library `ws`, which is loaded only when a panel starts.
 *
 * @module
 */

import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { WebSocket, WebSocketServer } from "ws";
import manifest from "../../deno.json" with { type: "json" };

const MAX_MESSAGE_BYTES = 8 * 1024 * 1024;

/** How a WebSocket is accepted. */
export interface AcceptOptions {
  /** Whether permessage-deflate is negotiated, without context takeover. */
  readonly compress: boolean;
  readonly onOpen: (socket: WebSocket) => void;
}

/** Upgrades connections to WebSockets. */
export class WebSocketAcceptor {
  readonly #plain: WebSocketServer;
  readonly #compressing: WebSocketServer;

  private constructor({ WebSocketServer }: typeof import("ws")) {
    const options = { noServer: true, autoPong: false, maxPayload: MAX_MESSAGE_BYTES } as const;
    this.#plain = new WebSocketServer({ ...options, perMessageDeflate: false });
    this.#compressing = new WebSocketServer({
      ...options,
      perMessageDeflate: { serverNoContextTakeover: true, clientNoContextTakeover: true },
    });
  }

  /** @throws {Error} When `ws` is neither installed nor downloadable (`Cannot load …`). */
  static async load(): Promise<WebSocketAcceptor> {
    return new WebSocketAcceptor(await loadLibrary());
  }

  /** Answers a valid request with 101 and calls `onOpen`, and an invalid one with a 4xx. */
  accept(
    request: IncomingMessage,
    socket: Socket,
    head: Uint8Array,
    { compress, onOpen }: AcceptOptions,
  ): void {
    const server = compress ? this.#compressing : this.#plain;
    server.handleUpgrade(request, socket, head, onOpen);
  }
}

async function loadLibrary(): Promise<typeof import("ws")> {
  const library: Partial<typeof import("ws")> = await import("ws");
  const { WebSocket, WebSocketServer } = library;
  if (WebSocket !== undefined && WebSocketServer !== undefined) {
    return { WebSocket, WebSocketServer };
  }
  // The bundle is built for browsers, where the library is an empty stub; the runtime has the real
  // one, or downloads it.
  const specifier: string = manifest.imports.ws;
  try {
    return await import(specifier);
  } catch (cause) {
    throw new Error(`Cannot load ${specifier}`, { cause });
  }
}
