import type { TestCertificate } from "./test_authority.ts";

type Listener = Deno.Listener<Deno.TcpConn | Deno.TlsConn, Deno.NetAddr>;

/** A server on loopback, which ends each connection that it has served. */
export abstract class LoopbackServer {
  /** Connections so far. */
  accepted = 0;
  readonly #listener: Listener;
  readonly #open = new Set<Deno.Conn>();
  readonly #done: Promise<void>;

  constructor(listener: Listener) {
    this.#listener = listener;
    this.#done = this.#serveAll();
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  /** Connections that the other side has not ended. */
  get open(): number {
    return this.#open.size;
  }

  /** Ends all connections. */
  end(): void {
    for (const connection of this.#open) connection.close();
    this.#open.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    this.end();
    await this.#done;
  }

  /** Serves a connection; it may throw when that ends. */
  protected abstract serve(connection: Deno.Conn): Promise<void>;

  async #serveAll(): Promise<void> {
    const running: Promise<void>[] = [];
    try {
      while (true) running.push(this.#serveOne(await this.#listener.accept()));
    } catch {
      // It was closed.
    }
    await Promise.all(running);
  }

  async #serveOne(connection: Deno.Conn): Promise<void> {
    this.accepted++;
    this.#open.add(connection);
    try {
      await this.serve(connection);
    } catch {
      // The other side went away, or the test is over.
    }
    if (!this.#open.delete(connection)) return;
    try {
      connection.close();
    } catch {
      // The test was quicker.
    }
  }
}

/** One, by TLS when it has a certificate, that says back all that it is told. */
export class EchoServer extends LoopbackServer {
  constructor(options: { certificate?: TestCertificate; hostname?: string } = {}) {
    const { certificate, hostname = "127.0.0.1" } = options;
    super(
      certificate
        ? Deno.listenTls({
          hostname,
          port: 0,
          cert: certificate.certificate,
          key: certificate.key,
          alpnProtocols: ["h2", "http/1.1"],
        })
        : Deno.listen({ hostname, port: 0 }),
    );
  }

  protected override async serve(connection: Deno.Conn): Promise<void> {
    const buffer = new Uint8Array(10_000);
    for (let count; (count = await connection.read(buffer)) !== null;) {
      for (let sent = 0; sent < count;) {
        sent += await connection.write(buffer.subarray(sent, count));
      }
    }
  }
}
