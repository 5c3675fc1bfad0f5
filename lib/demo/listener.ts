/**
 * An HTTP server on loopback that accepts WebSockets with the library `ws`, both loaded only when it
 * opens.
 *
 * Built on `node:http`, since faults close connections without an answer, which handlers of
 * `Deno.serve` can't do.
 *
 * @module
 */

import { errorCode } from "../attempt.ts";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { WebSocket, WebSocketServer } from "ws";
import { importText } from "../io/packed_text.ts";

const HOST = "127.0.0.1";
const MAX_MESSAGE_BYTES = 8 * 1024 * 1024;
/** The number of ports that are tried, from the wanted one on. */
const PORTS_TRIED = 100;

/** A request to upgrade a connection to a WebSocket. */
export interface UpgradeRequest {
  readonly request: IncomingMessage;
  readonly socket: Socket;
  /** Answers a valid request with 101 and calls `onOpen`, and an invalid one with a 4xx. */
  accept(onOpen: (socket: WebSocket) => void): void;
}

/** Answers the requests to a server; an error closes the connection. */
export interface RequestHandler {
  onConnection?(): void;
  onRequest(request: IncomingMessage, response: ServerResponse): Promise<void>;
  onUpgrade(upgrade: UpgradeRequest): Promise<void>;
}

/** An HTTP server with its port and its connections. */
export class Listener {
  readonly server: Server;
  /** The connections that are open. */
  readonly sockets = new Set<Socket>();
  #port = 0;

  private constructor(server: Server) {
    this.server = server;
    // The panel keeps idle connections longer than any interval between reports.
    this.server.keepAliveTimeout = 120_000;
    this.server.on("connection", (socket: Socket) => {
      this.sockets.add(socket);
      socket.on("error", () => {});
      socket.once("close", () => this.sockets.delete(socket));
    });
  }

  /**
   * Listens on the port, or on the next free one; 0 stands for any.
   *
   * @throws {Error} When no port is free (`Cannot listen on …`), or `ws` can't be loaded.
   */
  static async open(port: number, handler: RequestHandler): Promise<Listener> {
    // Loaded here, so that an agent without a demo does not pay for it.
    const { createServer } = await import("node:http");
    const acceptor = await loadAcceptor();
    const server = createServer((request, response) => {
      // A peer that hangs up is no error of the server.
      response.on("error", () => {});
      handler.onRequest(request, response).catch(() => response.socket?.destroy());
    });
    server.on("upgrade", (request, socket: Socket, head) => {
      const accept = (onOpen: (socket: WebSocket) => void) =>
        acceptor.handleUpgrade(request, socket, head, onOpen);
      handler.onUpgrade({ request, socket, accept }).catch(() => socket.destroy());
    });
    server.on("connection", () => handler.onConnection?.());
    const listener = new Listener(server);
    const last = port === 0 ? 0 : Math.min(port + PORTS_TRIED - 1, 65_535);
    for (let tried = port; tried <= last; tried++) {
      try {
        await listener.listen(tried);
        return listener;
      } catch (error) {
        if (errorCode(error) !== "EADDRINUSE" || tried === last) {
          throw new Error(`Cannot listen on ${HOST}, ports ${port} to ${last}`, { cause: error });
        }
      }
    }
    throw new Error(`Cannot listen on ${HOST}: port ${port} is out of range`);
  }

  /** The port that it listens on. */
  get port(): number {
    return this.#port;
  }

  /** Closes the server and every connection. */
  close(): void {
    if (this.server.listening) this.server.close();
    for (const socket of this.sockets) socket.destroy();
  }

  /** Listens on a port; 0 stands for any. @throws {Error} When it is in use. */
  async listen(port: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.server.once("error", reject).once("listening", resolve).listen(port, HOST);
    try {
      await promise;
    } finally {
      this.server.off("error", reject).off("listening", resolve);
    }
    const address = this.server.address();
    if (typeof address === "object" && address !== null) this.#port = address.port;
  }
}

/**
 * Loads what upgrades connections to WebSockets, with compression if the agent offers it.
 *
 * @throws {Error} When `ws` can't be loaded, as in a checkout that can't download it.
 */
async function loadAcceptor(): Promise<WebSocketServer> {
  const { WebSocketServer } = await loadLibrary();
  return new WebSocketServer({
    noServer: true,
    autoPong: false,
    maxPayload: MAX_MESSAGE_BYTES,
    perMessageDeflate: { serverNoContextTakeover: true, clientNoContextTakeover: true },
  });
}

async function loadLibrary(): Promise<Pick<typeof import("ws"), "WebSocketServer">> {
  const { WebSocketServer }: Partial<typeof import("ws")> = await import("ws");
  if (WebSocketServer !== undefined) return { WebSocketServer };
  // The program is bundled for browsers, where the library is an empty stub. The build has put the real
  // one into this text.
  const { default: { code } } = await import("./websocket_library.json", {
    with: { type: "json" },
  });
  return await importText<typeof import("ws")>(code);
}
