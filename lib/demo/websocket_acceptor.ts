/**
 * Accepts WebSockets with the library `ws`, which is loaded only when a panel starts.
 *
 * @module
 */

import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { WebSocket } from "ws";
import { importText } from "../io/packed_text.ts";

const MAX_MESSAGE_BYTES = 8 * 1024 * 1024;

/** How a WebSocket is served. */
export interface SocketService {
  /** Whether permessage-deflate is negotiated, without context takeover. */
  readonly compress: boolean;
  readonly onOpen: (socket: WebSocket) => void;
}

/** Answers a valid request with 101 and calls `onOpen`, and an invalid one with a 4xx. */
export type Accept = (
  request: {
    readonly request: IncomingMessage;
    readonly socket: Socket;
    readonly head: Uint8Array;
  },
  service: SocketService,
) => void;

/**
 * Loads what upgrades connections to WebSockets.
 *
 * @throws {Error} When `ws` can't be loaded, as in a checkout that can't download it.
 */
export async function loadAcceptor(): Promise<Accept> {
  const { WebSocketServer } = await loadLibrary();
  const options = { noServer: true, autoPong: false, maxPayload: MAX_MESSAGE_BYTES } as const;
  const plain = new WebSocketServer({ ...options, perMessageDeflate: false });
  const compressing = new WebSocketServer({
    ...options,
    perMessageDeflate: { serverNoContextTakeover: true, clientNoContextTakeover: true },
  });
  return ({ request, socket, head }, { compress, onOpen }) =>
    (compress ? compressing : plain).handleUpgrade(request, socket, head, onOpen);
}

async function loadLibrary(): Promise<typeof import("ws")> {
  const library: Partial<typeof import("ws")> = await import("ws");
  const { WebSocket, WebSocketServer } = library;
  if (WebSocket !== undefined && WebSocketServer !== undefined) {
    return { WebSocket, WebSocketServer };
  }
  // The program is bundled for browsers, where the library is an empty stub. The build has put the real
  // one into this text.
  const { default: { code } } = await import("./websocket_library.json", {
    with: { type: "json" },
  });
  return await importText<typeof import("ws")>(code);
}
