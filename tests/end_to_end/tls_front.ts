import type { TestCertificate } from "../net/test_authority.ts";
import type { TestPanel } from "../test_panel/test_panel.ts";

/** What speaks TLS in front of a panel, as a reverse proxy does. */
export class TlsFront implements AsyncDisposable {
  readonly #listener: Deno.TlsListener;
  readonly #open = new Set<Deno.Conn>();
  readonly #running: Promise<void>;

  constructor(panel: TestPanel, { certificate, key }: TestCertificate) {
    this.#listener = Deno.listenTls({ hostname: "127.0.0.1", port: 0, cert: certificate, key });
    this.#running = this.#run(panel.port);
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const connection of this.#open) this.#end(connection);
    await this.#running;
  }

  async #run(port: number): Promise<void> {
    for await (const client of this.#listener) {
      const server = await Deno.connect({ hostname: "127.0.0.1", port });
      for (const connection of [client, server]) this.#open.add(connection);
      const end = () => [client, server].forEach((connection) => this.#end(connection));
      client.readable.pipeTo(server.writable).then(end, end);
      server.readable.pipeTo(client.writable).then(end, end);
    }
  }

  #end(connection: Deno.Conn): void {
    if (!this.#open.delete(connection)) return;
    try {
      connection.close();
    } catch {
      // Its streams have closed it.
    }
  }
}
