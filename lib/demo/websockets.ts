/**
 * The server's side of WebSockets.
 *
 * @module
 */

import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { WebSocket, WebSocketServer } from "ws";
import manifest from "../../deno.json" with { type: "json" };

/** A connection that asks to become a WebSocket. */
export interface Asking {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Uint8Array;
}

const LARGEST_MESSAGE_BYTES = 8 * 1024 * 1024;

/** Makes WebSockets out of connections. */
export class WebSockets {
  readonly #plain: WebSocketServer;
  readonly #packing: WebSocketServer;

  private constructor({ WebSocketServer }: typeof import("ws")) {
    const options = { noServer: true, autoPong: false, maxPayload: LARGEST_MESSAGE_BYTES } as const;
    this.#plain = new WebSocketServer({ ...options, perMessageDeflate: false });
    this.#packing = new WebSocketServer({
      ...options,
      perMessageDeflate: { serverNoContextTakeover: true, clientNoContextTakeover: true },
    });
  }

  /** @throws {Error} When the library is neither there nor to be had (`Cannot load …`). */
  static async load(): Promise<WebSockets> {
    return new WebSockets(await loadLibrary());
  }

  /**
   * Answers a good request with 101 and gives the WebSocket, and a bad one with a 4xx.
   *
   * With `packs` messages may be compressed, each on its own.
   */
  accept(asking: Asking, options: { packs: boolean; use: (socket: WebSocket) => void }): void {
    const server = options.packs ? this.#packing : this.#plain;
    server.handleUpgrade(asking.request, asking.socket, asking.head, options.use);
  }
}

async function loadLibrary(): Promise<typeof import("ws")> {
  const library: Partial<typeof import("ws")> = await import("ws");
  const { WebSocket, WebSocketServer } = library;
  if (WebSocket !== undefined && WebSocketServer !== undefined) {
    return { WebSocket, WebSocketServer };
  }
  // The bundle is made as for browsers, for which the library is an excuse; the runtime has or
  // fetches the real one.
  const specifier: string = manifest.imports.ws;
  try {
    return await import(specifier);
  } catch (cause) {
    throw new Error(`Cannot load ${specifier}`, { cause });
  }
}
