import { closeQuietly as close } from "../line/close_quietly.ts";
import { dial, type DialOptions } from "../line/dial.ts";
import { pass, writeAll } from "../line/pass.ts";

/** SOCKS 5: no password is asked for. */
const WELCOME = Uint8Array.of(5, 0);

/** SOCKS 5: connected; from which address is left open. */
const CONNECTED = Uint8Array.of(5, 0, 0, 1, 0, 0, 0, 0, 0, 0);

/**
 * A SOCKS 5 proxy on loopback that serves one connection and leads it to addresses chosen before,
 * whatever host it asks for.
 */
export class Relay implements Disposable {
  readonly #opened = new DisposableStack();
  readonly #listener: Deno.TcpListener;
  /**
   * When the first packet to the address left, in milliseconds of `performance.now()`, told once
   * the connection stands. Rejects with the error of {@linkcode dial} when it does not come about.
   */
  readonly started: Promise<number>;

  /** Dials the first address that there is a way to, as soon as it is asked to connect. */
  constructor(addresses: readonly string[], options: DialOptions) {
    this.#listener = this.#opened.adopt(Deno.listen({ hostname: "127.0.0.1", port: 0 }), close);
    this.started = this.#serve(addresses, options);
    // Whoever waits for it is told all the same.
    this.started.catch(() => {});
  }

  /** Where it listens. */
  get url(): string {
    return `socks5h://127.0.0.1:${this.#listener.addr.port}`;
  }

  /** Ends whatever is under way and closes all connections. */
  [Symbol.dispose](): void {
    this.#opened.dispose();
  }

  async #serve(addresses: readonly string[], options: DialOptions): Promise<number> {
    const client = this.#keep(await this.#listener.accept());
    close(this.#listener);
    await takeRequest(client);
    const { connection, startedAtMs } = await dial(addresses, options);
    this.#keep(connection);
    await writeAll(client, CONNECTED);
    // What a server says before it hangs up on a request counts, so only its own end is passed on.
    pass(client, connection).catch(() => {});
    pass(connection, client).catch(() => {}).then(() => client.closeWrite()).catch(() => {});
    return startedAtMs;
  }

  #keep(connection: Deno.TcpConn): Deno.TcpConn {
    if (this.#opened.disposed) {
      close(connection);
      throw new Error("Cannot relay: nobody wants it any more");
    }
    // The relay must add no waiting of its own.
    connection.setNoDelay(true);
    return this.#opened.adopt(connection, close);
  }
}

/** Reads a client's greeting and which host it asks for, which does not matter. */
async function takeRequest(client: Deno.TcpConn): Promise<void> {
  const [, methods = 0] = await take(client, 2);
  await take(client, methods);
  await writeAll(client, WELCOME);
  const [, , , kind] = await take(client, 4);
  const [length = 0] = kind === 1 ? [4] : kind === 4 ? [16] : await take(client, 1);
  await take(client, length + 2);
}

async function take(from: Deno.TcpConn, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  for (let taken = 0; taken < length;) {
    const count = await from.read(bytes.subarray(taken));
    if (count === null) throw new Error("Cannot relay: the client hung up");
    taken += count;
  }
  return bytes;
}
