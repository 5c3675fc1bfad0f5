import type { TestCertificate } from "./test_authority.ts";

/** A server on loopback, by TLS when it has a certificate, that says back all that it is told. */
export class EchoServer {
  /** Connections so far. */
  accepted = 0;
  readonly #listener: Deno.Listener<Deno.TcpConn | Deno.TlsConn, Deno.NetAddr>;
  readonly #open = new Set<Deno.Conn>();
  readonly #done: Promise<void>;

  constructor(options: { certificate?: TestCertificate; hostname?: string } = {}) {
    const { certificate, hostname = "127.0.0.1" } = options;
    this.#listener = certificate
      ? Deno.listenTls({
        hostname,
        port: 0,
        cert: certificate.certificate,
        key: certificate.key,
        alpnProtocols: ["h2", "http/1.1"],
      })
      : Deno.listen({ hostname, port: 0 });
    this.#done = this.#serve();
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

  async #serve(): Promise<void> {
    const running: Promise<void>[] = [];
    try {
      while (true) running.push(this.#echo(await this.#listener.accept()));
    } catch {
      // It was closed.
    }
    await Promise.all(running);
  }

  async #echo(connection: Deno.Conn): Promise<void> {
    this.accepted++;
    this.#open.add(connection);
    const buffer = new Uint8Array(10_000);
    try {
      for (let count; (count = await connection.read(buffer)) !== null;) {
        for (let sent = 0; sent < count;) {
          sent += await connection.write(buffer.subarray(sent, count));
        }
      }
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
