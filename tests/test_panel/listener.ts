/**
 * An HTTP server on loopback that accepts WebSockets.
 *
 * Built on `node:http` and `ws`, since faults write to connections below HTTP, and since the agent's own
 * WebSockets must meet others than their own and the runtime's.
 *
 * @module
 */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";

const MAX_MESSAGE_BYTES = 8 * 1024 * 1024;

/** A request to upgrade a connection to a WebSocket. */
export interface UpgradeRequest {
  readonly request: IncomingMessage;
  readonly socket: Socket;
  /** Answers a valid request with 101 and calls `onOpen`, and an invalid one with a 4xx. */
  accept(onOpen: (socket: WebSocket) => void): void;
}

/** Answers the requests to a server; an error closes the connection. */
export interface RequestHandler {
  onConnection(): void;
  onRequest(request: IncomingMessage, response: ServerResponse): Promise<void>;
  onUpgrade(upgrade: UpgradeRequest): Promise<void>;
}

/** An HTTP server with its port and its connections. */
export class Listener {
  readonly server: Server;
  /** The connections that are open. */
  readonly sockets = new Set<Socket>();
  /** The port; 0 before `listen()`. */
  port = 0;

  constructor(handler: RequestHandler) {
    const acceptor = new WebSocketServer({
      ...{ noServer: true, autoPong: false, maxPayload: MAX_MESSAGE_BYTES },
      perMessageDeflate: { serverNoContextTakeover: true, clientNoContextTakeover: true },
    });
    this.server = createServer((request, response) => {
      // A peer that hangs up is no error of the server.
      response.on("error", () => {});
      handler.onRequest(request, response).catch(() => response.socket?.destroy());
    });
    // The panel keeps idle connections longer than any interval between reports.
    this.server.keepAliveTimeout = 120_000;
    this.server.on("upgrade", (request, socket: Socket, head) => {
      const accept = (onOpen: (socket: WebSocket) => void) =>
        acceptor.handleUpgrade(request, socket, head, onOpen);
      handler.onUpgrade({ request, socket, accept }).catch(() => socket.destroy());
    });
    this.server.on("connection", (socket: Socket) => {
      this.sockets.add(socket);
      socket.on("error", () => {});
      socket.once("close", () => this.sockets.delete(socket));
      handler.onConnection();
    });
  }

  /** Closes the server and every connection. */
  close(): void {
    if (this.server.listening) this.server.close();
    for (const socket of this.sockets) socket.destroy();
  }

  /** Listens on a port; 0 stands for any. @throws {Error} When it is in use. */
  async listen(port: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.server.once("error", reject).once("listening", resolve).listen(port, "127.0.0.1");
    try {
      await promise;
    } finally {
      this.server.off("error", reject).off("listening", resolve);
    }
    const address = this.server.address();
    if (typeof address === "object" && address !== null) this.port = address.port;
  }
}
