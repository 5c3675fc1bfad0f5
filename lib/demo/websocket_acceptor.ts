/**
 * Accepts WebSockets with the library `ws`, which is loaded only when a panel starts.
 *
 * @module
 */

import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { WebSocket, WebSocketServer } from "ws";
import manifest from "../../deno.json" with { type: "json" };

/** A request to upgrade a connection to a WebSocket. */
export interface UpgradeRequest {
  readonly request: IncomingMessage;
  readonly socket: Socket;
  /** Bytes that came after the request's head. */
  readonly head: Uint8Array;
}

const MAX_MESSAGE_BYTES = 8 * 1024 * 1024;

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

  /**
   * Answers a valid request with 101 and calls `onOpen`, and an invalid one with a 4xx.
   *
   * With `compress` permessage-deflate is negotiated, without context takeover.
   */
  accept(
    { request, socket, head }: UpgradeRequest,
    options: { compress: boolean; onOpen: (socket: WebSocket) => void },
  ): void {
    const server = options.compress ? this.#compressing : this.#plain;
    server.handleUpgrade(request, socket, head, options.onOpen);
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
