/** A server on loopback that answers as a test likes, well-formed or not, and remembers what it was asked. */
export class RawServer implements AsyncDisposable {
  /** The head of each request. */
  readonly requests: string[] = [];
  readonly #listener: Deno.TcpListener;
  readonly #open = new Set<Deno.TcpConn>();
  readonly #done: Promise<void>;
  #closed = false;

  /** `answer` writes to the connection; afterwards it is closed, unless it is to be kept. */
  constructor(
    answer: (path: string, connection: Deno.TcpConn) => Promise<"keep" | undefined | void>,
    options: { hostname?: string } = {},
  ) {
    this.#listener = Deno.listen({ hostname: options.hostname ?? "127.0.0.1", port: 0 });
    this.#done = this.#serve(answer);
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  /** Connections that neither side has closed. */
  get open(): number {
    return this.#open.size;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#listener.close();
    for (const connection of this.#open) connection.close();
    await this.#done;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #serve(
    answer: (path: string, connection: Deno.TcpConn) => Promise<"keep" | undefined | void>,
  ): Promise<void> {
    const running = new Set<Promise<void>>();
    try {
      for await (const connection of this.#listener) {
        const one = this.#answer(connection, answer).finally(() => running.delete(one));
        running.add(one);
      }
    } catch (error) {
      if (!this.#closed) throw error;
    }
    await Promise.all(running);
  }

  async #answer(
    connection: Deno.TcpConn,
    answer: (path: string, connection: Deno.TcpConn) => Promise<"keep" | undefined | void>,
  ): Promise<void> {
    this.#open.add(connection);
    try {
      const buffer = new Uint8Array(8192);
      const count = await connection.read(buffer);
      const head = new TextDecoder().decode(buffer.subarray(0, count ?? 0));
      this.requests.push(head);
      if (await answer(head.split(" ")[1] ?? "", connection) === "keep") {
        // Until the other side goes.
        while (await connection.read(buffer) !== null);
      }
    } catch {
      // The other side went away, or the test is over.
    } finally {
      if (this.#open.delete(connection)) {
        try {
          connection.close();
        } catch {
          // close() was quicker.
        }
      }
    }
  }
}

/** Writes all of a text. */
export async function write(connection: Deno.TcpConn, text: string): Promise<void> {
  const bytes = new TextEncoder().encode(text);
  for (let sent = 0; sent < bytes.length;) sent += await connection.write(bytes.subarray(sent));
}
