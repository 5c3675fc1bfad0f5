/**
 * An HTTP server on loopback that can be taken down and put up again.
 *
 * Built on `node:http` because a stand-in has to be able to hang up without an answer, which
 * `Deno.serve` does not let a handler do.
 *
 * @module
 */

import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";

const HOST = "127.0.0.1";
/** How many ports are tried, from the wanted one on. */
const TRIES = 100;

/** Answers a request; what it throws ends the connection. */
export type Handler = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

/** Takes a connection that asks to become a WebSocket; what it throws ends the connection. */
export type UpgradeHandler = (
  request: IncomingMessage,
  socket: Socket,
  head: Uint8Array,
) => Promise<void>;

/** A server, its port and its connections. */
export class Listener {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #spared = new WeakSet<Socket>();
  #port = 0;

  private constructor(server: Server, onConnection: () => void) {
    this.#server = server;
    // The panel keeps an idle connection for longer than any interval between reports.
    this.#server.keepAliveTimeout = 120_000;
    this.#server.on("connection", (socket: Socket) => {
      onConnection();
      this.#sockets.add(socket);
      socket.on("error", () => {});
      socket.once("close", () => this.#sockets.delete(socket));
    });
  }

  /**
   * Listens on the port, or on the next free one; 0 takes any.
   *
   * @throws {Error} When no port is free (`Cannot listen on …`).
   */
  static async open(
    handler: Handler,
    options: { port: number; onConnection: () => void; onUpgrade?: UpgradeHandler },
  ): Promise<Listener> {
    // Loaded here, since an agent without a demo must not pay for it.
    const { createServer } = await import("node:http");
    const server = createServer((request, response) => {
      // A peer that hangs up is no news to a server.
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
    const last = options.port === 0 ? 0 : Math.min(options.port + TRIES - 1, 65_535);
    for (let port = options.port; port <= last; port++) {
      try {
        await listener.#listen(port);
        return listener;
      } catch (error) {
        if (!isTaken(error) || port === last) {
          throw new Error(`Cannot listen on ${HOST}, ports ${options.port} to ${last}`, {
            cause: error,
          });
        }
      }
    }
    throw new Error(`Cannot listen on ${HOST}: port ${options.port} is out of range`);
  }

  /** The port that it listens on, or will listen on again. */
  get port(): number {
    return this.#port;
  }

  /** Lets a connection live on through `pause()`. */
  spare(socket: Socket | null): void {
    if (socket !== null) this.#spared.add(socket);
  }

  /** Refuses new connections and hangs up on the open ones. */
  pause(): void {
    if (!this.#server.listening) return;
    this.#server.close();
    this.drop();
  }

  /** Hangs up on the open connections, by a reset when that is wanted. */
  drop(options: { reset?: boolean } = {}): void {
    for (const socket of this.#sockets) {
      if (this.#spared.has(socket)) continue;
      if (options.reset === true) socket.resetAndDestroy();
      else socket.destroy();
    }
  }

  /** Takes connections again, on the same port. */
  async resume(): Promise<void> {
    if (!this.#server.listening) await this.#listen(this.#port);
  }

  /** Ends the server and every connection. */
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

function isTaken(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EADDRINUSE";
}
