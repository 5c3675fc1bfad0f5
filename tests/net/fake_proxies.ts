import { type RawPeer, RawServer } from "./raw_server.ts";

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

/** A proxy under way, with what came to it; disposing of it ends all its connections. */
export type TestProxy = RawServer & Heard;

interface Heard {
  /** What it was asked for: heads of HTTP, or hosts with ports. */
  readonly requests: string[];
  /** Resolves when somebody has come and said something, which is told by `meet`. */
  readonly met: Promise<void>;
  readonly meet: () => void;
}

type Serve = (client: RawPeer, options: TestProxyOptions, heard: Heard) => Promise<void>;

const startProxy = (serve: Serve) => (options: TestProxyOptions = {}): TestProxy => {
  const { promise: met, resolve: meet } = Promise.withResolvers<void>();
  const heard: Heard = { requests: [], met, meet };
  const server = new RawServer((client) => serve(client, options, heard).catch(() => {}));
  return Object.assign(server, heard);
};

/** An HTTP proxy on loopback that leads by `CONNECT`. */
export const startHttpProxy = startProxy(serveHttp);

/** A SOCKS 5 proxy on loopback. */
export const startSocksProxy = startProxy(serveSocks);

async function serveHttp(
  client: RawPeer,
  { login, answer, isMute, forwards, port }: TestProxyOptions,
  { requests, meet }: Heard,
): Promise<void> {
  const head = await client.head() ?? "";
  requests.push(head);
  meet();
  if (isMute) return await client.ended();
  const given = /^proxy-authorization: Basic (\S+)\r$/im.exec(head)?.[1];
  const isWelcome = login === undefined || given === btoa(login);
  if (typeof answer === "string") return void await client.write(answer);
  if (!isWelcome) return await client.answer("", [], "407 Proxy Authentication Required");
  const [, connected] = /^CONNECT \S+:(\d+) /.exec(head) ?? [];
  if (connected !== undefined) {
    await client.write("HTTP/1.1 200 Connection established\r\nX-Proxy: test\r\n\r\n");
    return await client.leadTo(port ?? Number(connected));
  }
  if (forwards) {
    const [, target = "80"] = /^\S+ http:\/\/[^/:]+:(\d+)/.exec(head) ?? [];
    const own = head.replace(/http:\/\/[^/]+/, "").replace(/\r\n$/, "Connection: close\r\n\r\n");
    return await client.leadTo(port ?? Number(target), { first: own });
  }
  await client.answer("");
  await client.ended();
}

async function serveSocks(
  client: RawPeer,
  { login, answer, isMute, port }: TestProxyOptions,
  { requests, meet }: Heard,
): Promise<void> {
  const take = async (count: number) => await client.read(count) ?? hungUp();
  const [, count = 0] = await take(2);
  const methods = await take(count);
  meet();
  if (isMute) return await client.ended();
  const method = login === undefined ? 0 : methods.includes(2) ? 2 : 255;
  await client.write(Uint8Array.of(5, method));
  if (method === 255) return;
  if (login !== undefined) {
    const [loginVersion, userLength = 0] = await take(2);
    if (loginVersion !== 1) return;
    const user = text(await take(userLength));
    const [passwordLength = 0] = await take(1);
    const password = text(await take(passwordLength));
    const isWelcome = `${user}:${password}` === login;
    await client.write(Uint8Array.of(1, isWelcome ? 0 : 1));
    if (!isWelcome) return;
  }
  const [version, command, , kind] = await take(4);
  if (version !== 5 || command !== 1) return;
  const [length = 0] = kind === 1 ? [4] : kind === 4 ? [16] : await take(1);
  const host = await take(length);
  const [high = 0, low = 0] = await take(2);
  const asked = high * 256 + low;
  requests.push(`${kind === 3 ? text(host) : host.join(".")}:${asked}`);
  if (answer instanceof Uint8Array) return void await client.write(answer);
  await client.write(Uint8Array.of(5, 0, 0, 3, 2, 97, 98, 0, 0));
  await client.leadTo(port ?? asked);
}

function hungUp(): never {
  throw new Error("the client hung up");
}

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
