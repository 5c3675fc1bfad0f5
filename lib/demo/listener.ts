/**
 * An HTTP server on loopback that can stop listening and resume on the same port.
 *
 * Built on `node:http`, since faults close connections without an answer, which handlers of
 * `Deno.serve` can't do.
 *
 * @module
 */

import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";

const HOST = "127.0.0.1";
/** The number of ports that are tried, from the wanted one on. */
const PORTS_TRIED = 100;

/** Answers a request; an error closes the connection. */
export type Handler = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

/** Answers an upgrade request; an error closes the connection. */
export type UpgradeHandler = (
  request: IncomingMessage,
  socket: Socket,
  head: Uint8Array,
) => Promise<void>;

/** An HTTP server with its port and its connections. */
export class Listener {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #exempt = new WeakSet<Socket>();
  #port = 0;

  private constructor(server: Server, onConnection: () => void) {
    this.#server = server;
    // The panel keeps idle connections longer than any interval between reports.
    this.#server.keepAliveTimeout = 120_000;
    this.#server.on("connection", (socket: Socket) => {
      onConnection();
      this.#sockets.add(socket);
      socket.on("error", () => {});
      socket.once("close", () => this.#sockets.delete(socket));
    });
  }

  /**
   * Listens on the port, or on the next free one; 0 stands for any.
   *
   * @throws {Error} When no port is free (`Cannot listen on …`).
   */
  static async open(
    handler: Handler,
    options: { port: number; onConnection: () => void; onUpgrade?: UpgradeHandler },
  ): Promise<Listener> {
    // Loaded here, so that an agent without a demo does not pay for it.
    const { createServer } = await import("node:http");
    const server = createServer((request, response) => {
      // A peer that hangs up is no error of the server.
      response.on("error", () => {});
      handler(request, response).catch(() => response.socket?.destroy());
    });
    const { onUpgrade } = options;
    if (onUpgrade !== undefined) {
      server.on("upgrade", (request, socket: Socket, head) => {
        onUpgrade(request, socket, new Uint8Array(head)).catch(() => socket.destroy());
      });
    }
    const listener = new Listener(server, options.onConnection);
    const last = options.port === 0 ? 0 : Math.min(options.port + PORTS_TRIED - 1, 65_535);
    for (let port = options.port; port <= last; port++) {
      try {
        await listener.#listen(port);
        return listener;
      } catch (error) {
        if (!isPortTaken(error) || port === last) {
          throw new Error(`Cannot listen on ${HOST}, ports ${options.port} to ${last}`, {
            cause: error,
          });
        }
      }
    }
    throw new Error(`Cannot listen on ${HOST}: port ${options.port} is out of range`);
  }

  /** The port that it listens on, also after `pause()`. */
  get port(): number {
    return this.#port;
  }

  /** Keeps a connection open through `pause()` and `dropConnections()`. */
  exempt(socket: Socket | null): void {
    if (socket !== null) this.#exempt.add(socket);
  }

  /** Refuses new connections and closes the open ones. */
  pause(): void {
    if (!this.#server.listening) return;
    this.#server.close();
    this.dropConnections();
  }

  /** Closes the open connections, with `reset` by a TCP reset. */
  dropConnections(options: { reset?: boolean } = {}): void {
    for (const socket of this.#sockets) {
      if (this.#exempt.has(socket)) continue;
      if (options.reset === true) socket.resetAndDestroy();
      else socket.destroy();
    }
  }

  /** Accepts connections again on the same port. */
  async resume(): Promise<void> {
    if (!this.#server.listening) await this.#listen(this.#port);
  }

  /** Closes the server and every connection. */
  close(): void {
    if (this.#server.listening) this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  async #listen(port: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#server.once("error", reject);
    this.#server.listen(port, HOST, resolve);
    try {
      await promise;
    } finally {
      this.#server.off("error", reject);
    }
    const address = this.#server.address();
    if (typeof address === "object" && address !== null) this.#port = address.port;
  }
}

function isPortTaken(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EADDRINUSE";
}
