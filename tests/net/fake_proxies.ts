/** How a proxy of the tests behaves. */
export interface TestProxyOptions {
  /** Whom it lets through, as `user:password`; everybody when absent. */
  login?: string;
  /** Answers so instead of leading anywhere: the head of an HTTP answer, or bytes of SOCKS. */
  answer?: string | Uint8Array<ArrayBuffer>;
  /** Hands on whole requests, each over a connection of its own; else it answers them itself. */
  forwards?: boolean;
  /** Says nothing. */
  isMute?: boolean;
  /** Where it leads, whatever it was asked for. */
  port?: number;
}

/** An HTTP proxy on loopback that leads by `CONNECT`. */
export function startHttpProxy(options: TestProxyOptions = {}): TestProxy {
  return new TestProxy(options, serveHttp);
}

/** A SOCKS 5 proxy on loopback. */
export function startSocksProxy(options: TestProxyOptions = {}): TestProxy {
  return new TestProxy(options, serveSocks);
}

type Serve = (client: Deno.TcpConn, proxy: TestProxy) => Promise<void>;

/** A proxy under way; disposing of it ends all its connections. */
export class TestProxy {
  /** Somebody has come and said something. */
  readonly met: Promise<void>;
  /** What it was asked for: heads of HTTP, or hosts with ports. */
  readonly requests: string[] = [];
  readonly options: TestProxyOptions;
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #open = new Set<Deno.TcpConn>();
  readonly #done: Promise<void>;
  readonly meet: () => void;

  constructor(options: TestProxyOptions, serve: Serve) {
    this.options = options;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.met = promise;
    this.meet = resolve;
    this.#done = this.#run(serve);
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  /** Connections that are not closed. */
  get open(): number {
    return this.#open.size;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const connection of this.#open) this.end(connection);
    await this.#done;
  }

  end(connection: Deno.TcpConn): void {
    if (this.#open.delete(connection)) connection.close();
  }

  /** Connects to where it leads and passes on bytes both ways until one side ends. */
  async lead(client: Deno.TcpConn, port: number, head = ""): Promise<void> {
    const server = await Deno.connect({ hostname: "127.0.0.1", port: this.options.port ?? port });
    this.#open.add(server);
    await write(server, head);
    const end = () => {
      this.end(server);
      this.end(client);
    };
    await Promise.all([
      pump(client, server).catch(() => {}).finally(end),
      pump(server, client).catch(() => {}).finally(end),
    ]);
  }

  async #run(serve: Serve): Promise<void> {
    const running: Promise<void>[] = [];
    try {
      while (true) {
        const client = await this.#listener.accept();
        this.#open.add(client);
        running.push(serve(client, this).catch(() => {}).finally(() => this.end(client)));
      }
    } catch {
      // It was closed.
    }
    await Promise.all(running);
  }
}

async function serveHttp(client: Deno.TcpConn, proxy: TestProxy): Promise<void> {
  const { login, answer, isMute } = proxy.options;
  let head = "";
  while (!head.endsWith("\r\n\r\n")) head += text(await take(client, 1));
  proxy.requests.push(head);
  proxy.meet();
  if (isMute) return await untilEnd(client);
  const [, port = "0"] = /^CONNECT \S+:(\d+) /.exec(head) ?? [];
  const given = /^proxy-authorization: Basic (\S+)\r$/im.exec(head)?.[1];
  const isWelcome = login === undefined || given === btoa(login);
  if (typeof answer === "string") {
    await write(client, answer);
  } else if (!isWelcome) {
    await write(client, "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n");
  } else if (head.startsWith("CONNECT ")) {
    await write(client, "HTTP/1.1 200 Connection established\r\nX-Proxy: test\r\n\r\n");
    await proxy.lead(client, Number(port));
  } else if (proxy.options.forwards) {
    const [, target = "80"] = /^\S+ http:\/\/[^/:]+:(\d+)/.exec(head) ?? [];
    const own = head.replace(/http:\/\/[^/]+/, "").replace(/\r\n$/, "Connection: close\r\n\r\n");
    await proxy.lead(client, Number(target), own);
  } else {
    await write(client, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    await untilEnd(client);
  }
}

async function serveSocks(client: Deno.TcpConn, proxy: TestProxy): Promise<void> {
  const { login, answer, isMute } = proxy.options;
  const [, count = 0] = await take(client, 2);
  const methods = await take(client, count);
  proxy.meet();
  if (isMute) return await untilEnd(client);
  const method = login === undefined ? 0 : methods.includes(2) ? 2 : 255;
  await write(client, Uint8Array.of(5, method));
  if (method === 255) return;
  if (login !== undefined) {
    const [, userLength = 0] = await take(client, 2);
    const user = text(await take(client, userLength));
    const [passwordLength = 0] = await take(client, 1);
    const password = text(await take(client, passwordLength));
    const isWelcome = `${user}:${password}` === login;
    await write(client, Uint8Array.of(1, isWelcome ? 0 : 1));
    if (!isWelcome) return;
  }
  const [, , , kind] = await take(client, 4);
  const [length = 0] = kind === 1 ? [4] : kind === 4 ? [16] : await take(client, 1);
  const host = await take(client, length);
  const [high = 0, low = 0] = await take(client, 2);
  const port = high * 256 + low;
  proxy.requests.push(`${kind === 3 ? text(host) : host.join(".")}:${port}`);
  if (answer instanceof Uint8Array) return await write(client, answer);
  await write(client, Uint8Array.of(5, 0, 0, 3, 2, 97, 98, 0, 0));
  await proxy.lead(client, port);
}

function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

async function untilEnd(connection: Deno.TcpConn): Promise<void> {
  while (await connection.read(new Uint8Array(1000)) !== null);
}

async function take(from: Deno.TcpConn, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  for (let taken = 0; taken < length;) {
    const count = await from.read(bytes.subarray(taken));
    if (count === null) throw new Error("the client hung up");
    taken += count;
  }
  return bytes;
}

async function write(to: Deno.TcpConn, what: string | Uint8Array): Promise<void> {
  const bytes = typeof what === "string" ? new TextEncoder().encode(what) : what;
  for (let sent = 0; sent < bytes.length;) sent += await to.write(bytes.subarray(sent));
}

async function pump(from: Deno.TcpConn, to: Deno.TcpConn): Promise<void> {
  const buffer = new Uint8Array(8000);
  for (let count; (count = await from.read(buffer)) !== null;) {
    await write(to, buffer.subarray(0, count));
  }
}
