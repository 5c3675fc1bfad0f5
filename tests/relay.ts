import { createConnection, createServer, type Server, type Socket } from "node:net";
import { once } from "node:events";
import { realDeadline } from "./real_deadline.ts";

/** A connection through a relay. */
export interface RelayedConnection {
  /** The first line that the client has sent: `GET /path HTTP/1.1`. */
  readonly firstLine: string;
  /** Resolves when the server's next bytes were passed on. */
  answered(): Promise<void>;
  /** Passes nothing on from now on, and closes neither side: a router has forgotten it. */
  silence(): void;
  /** Resets both sides; what is on its way is lost. */
  reset(): void;
}

/** A TCP relay to a port of this machine that holds each byte for a while, as a long line does. */
export class Relay implements AsyncDisposable {
  readonly #server: Server;
  readonly #connections = new Set<Connection>();
  #onData: (connection: Connection) => void = () => {};

  /** @param options `delayMs`: for each direction. */
  constructor(port: number, { delayMs }: { delayMs: number }) {
    this.#server = createServer((client) => {
      const connection = new Connection(client, createConnection(port, "127.0.0.1"), delayMs);
      this.#connections.add(connection);
      client.on("data", () => this.#onData(connection));
      client.once("close", () => this.#connections.delete(connection));
    });
  }

  /** Starts it. */
  static async open(port: number, options: { delayMs: number }): Promise<Relay> {
    const relay = new Relay(port, options);
    relay.#server.listen(0, "127.0.0.1");
    await once(relay.#server, "listening");
    return relay;
  }

  /** The address of the relay. */
  get url(): string {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("it does not listen");
    return `http://127.0.0.1:${address.port}`;
  }

  /** The connections that are open. */
  get connections(): readonly RelayedConnection[] {
    return [...this.#connections];
  }

  /**
   * Resets all connections as soon as a client on this path sends something, which is lost then; also by
   * a connection that it opens meanwhile.
   */
  async resetWhenHeld(path: string): Promise<void> {
    const held = Promise.withResolvers<void>();
    this.#onData = ({ firstLine }) => {
      if (firstLine.includes(path)) held.resolve();
    };
    await realDeadline(held.promise);
    this.#onData = () => {};
    for (const connection of this.#connections) connection.reset();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const connection of this.#connections) connection.reset();
    await realDeadline(closed);
  }
}

class Connection implements RelayedConnection {
  readonly #client: Socket;
  readonly #server: Socket;
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();
  readonly #delayMs: number;
  #answer = Promise.withResolvers<void>();
  #isSilent = false;
  firstLine = "";

  constructor(client: Socket, server: Socket, delayMs: number) {
    this.#client = client;
    this.#server = server;
    this.#delayMs = delayMs;
    client.once("data", (bytes) => this.firstLine = `${bytes}`.split("\r\n")[0] ?? "");
    for (const [from, to] of [[client, server], [server, client]] as const) {
      from.on("data", (bytes) =>
        this.#later(() => {
          to.write(bytes);
          if (from === server) this.#passedAnswer();
        }));
      from.on("end", () => this.#later(() => to.end()));
      from.on("error", () => this.#later(() => to.resetAndDestroy()));
    }
  }

  silence(): void {
    this.#isSilent = true;
    this.#drop();
  }

  reset(): void {
    this.#drop();
    this.#client.resetAndDestroy();
    this.#server.resetAndDestroy();
  }

  async answered(): Promise<void> {
    await realDeadline(this.#answer.promise);
  }

  #passedAnswer(): void {
    this.#answer.resolve();
    this.#answer = Promise.withResolvers();
  }

  #drop(): void {
    for (const timer of this.#timers) clearTimeout(timer);
  }

  #later(act: () => void): void {
    if (this.#isSilent) return;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      act();
    }, this.#delayMs);
    this.#timers.add(timer);
  }
}
