import { realDeadline } from "../real_deadline.ts";
import type { TestCertificate } from "./test_authority.ts";

type RawConnection = Deno.TcpConn | Deno.TlsConn;

/** The other side of a connection, in the hands of a test. */
export class RawPeer {
  readonly #connection: RawConnection;
  #unread = new Uint8Array(0);

  constructor(connection: RawConnection) {
    this.#connection = connection;
  }

  /** The head of the next request; `undefined` when there is none. */
  async head(): Promise<string | undefined> {
    let head = "";
    while (!head.endsWith("\r\n\r\n")) {
      const byte = await this.read(1);
      if (byte === undefined) return undefined;
      head += String.fromCharCode(...byte);
    }
    return head;
  }

  /** The next request: its head, and as much body as it says; `undefined` when there is none. */
  async request(): Promise<{ head: string; body: string } | undefined> {
    const head = await this.head();
    if (head === undefined) return undefined;
    const length = Number(/^content-length: (\d+)\r$/im.exec(head)?.[1] ?? 0);
    const body = await this.read(length);
    return body && { head, body: new TextDecoder().decode(body) };
  }

  /** The next `count` bytes; `undefined` when there are no more. */
  async read(count: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    while (this.#unread.length < count) {
      const more = await this.#receive();
      if (more === undefined) return undefined;
      this.#unread = Uint8Array.from([...this.#unread, ...more]);
    }
    const bytes = this.#unread.slice(0, count);
    this.#unread = this.#unread.slice(count);
    return bytes;
  }

  /** Whatever comes next from the line; `undefined` when it has ended or was reset. */
  async readSome(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    return this.#unread.length > 0 ? await this.read(this.#unread.length) : await this.#receive();
  }

  async #receive(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const buffer = new Uint8Array(64 * 1024);
    const count = await this.#connection.read(buffer).catch(() => null);
    return count === null ? undefined : buffer.slice(0, count);
  }

  /** Resolves when the client has hung up. */
  async ended(): Promise<void> {
    while (await this.readSome() !== undefined);
  }

  /** Text with LF is sent as it is. Whether the client took it. */
  async write(data: string | Uint8Array): Promise<boolean> {
    const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
    try {
      for (let at = 0; at < bytes.length;) at += await this.#connection.write(bytes.subarray(at));
      return true;
    } catch {
      return false;
    }
  }

  /** An answer with a length. */
  async answer(text: string, fields: readonly string[] = [], status = "200 OK"): Promise<void> {
    const { length } = new TextEncoder().encode(text);
    const head = [`HTTP/1.1 ${status}`, ...fields, `Content-Length: ${length}`, "", ""];
    await this.write(head.join("\r\n") + text);
  }

  /**
   * Connects to a port of this machine, and passes on bytes both ways until one side ends; what that
   * server says may be changed on the way.
   */
  async leadTo(
    port: number,
    { first = "", change = (bytes: Uint8Array<ArrayBuffer>) => bytes } = {},
  ): Promise<void> {
    const server = new RawPeer(await Deno.connect({ hostname: "127.0.0.1", port }));
    await server.write(first);
    const pump = async (from: RawPeer, to: RawPeer) => {
      for (let bytes; (bytes = await from.readSome()) !== undefined;) {
        if (!await to.write(from === server ? change(bytes) : bytes)) break;
      }
      for (const peer of [from, to]) peer.close();
    };
    await Promise.all([pump(this, server), pump(server, this)]);
  }

  /** The server's port. */
  get port(): number {
    return this.#connection.localAddr.port;
  }

  /** Hangs up. */
  close(): void {
    try {
      this.#connection.close();
    } catch {
      // It is closed already.
    }
  }
}

/** Where a server listens, and its certificate. */
export interface RawServerOptions {
  readonly hostname?: string;
  readonly certificate?: TestCertificate | undefined;
}

/** A server on loopback that deals with each connection as a test likes, and ends all with its block. */
export class RawServer implements AsyncDisposable {
  readonly #listener: Deno.Listener<RawConnection, Deno.NetAddr>;
  readonly #serve: (peer: RawPeer, index: number) => Promise<unknown>;
  readonly #open = new Set<RawPeer>();
  readonly #accepting: Promise<void>;
  /** How many connections there have been. */
  accepted = 0;

  /** `serve` is told how many connections there have been before; by TLS with a certificate. */
  constructor(
    serve: (peer: RawPeer, index: number) => Promise<unknown>,
    { hostname = "127.0.0.1", certificate }: RawServerOptions = {},
  ) {
    const address = { hostname, port: 0 };
    this.#listener = certificate === undefined ? Deno.listen(address) : Deno.listenTls({
      ...address,
      cert: certificate.certificate,
      key: certificate.key,
      alpnProtocols: ["h2", "http/1.1"],
    });
    this.#serve = serve;
    this.#accepting = this.#accept();
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  /** `http://127.0.0.1:…`. */
  get origin(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Connections that neither side has closed. */
  get open(): number {
    return this.#open.size;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const peer of this.#open) peer.close();
    await realDeadline(this.#accepting);
  }

  async #accept(): Promise<void> {
    const served: Promise<void>[] = [];
    for await (const connection of this.#listener) {
      const peer = new RawPeer(connection);
      this.#open.add(peer);
      served.push(
        this.#serve(peer, this.accepted++).then(() => {}).finally(() => {
          peer.close();
          this.#open.delete(peer);
        }),
      );
    }
    await Promise.all(served);
  }
}

/** A server that says back all that it is told. */
export function echoServer(options: RawServerOptions = {}): RawServer {
  return new RawServer(async (peer) => {
    for (let bytes; (bytes = await peer.readSome()) !== undefined;) await peer.write(bytes);
  }, options);
}

/** Runs a server until `use` has ended, which fails when it hangs. */
export async function withRawServer<T>(
  serve: (peer: RawPeer, index: number) => Promise<void>,
  use: (server: RawServer) => Promise<T>,
): Promise<T> {
  await using server = new RawServer(serve);
  return await realDeadline(use(server));
}
