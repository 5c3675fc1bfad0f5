import { addressBytes } from "../parse/ip_address.ts";
import type { Proxy } from "../parse/proxy.ts";
import { readExact, writeAll } from "./byte_stream.ts";
import type { HostAndPort } from "./connector.ts";

const VERSION = 5;
const LOGIN_VERSION = 1;
const NO_LOGIN = 0;
const LOGIN = 2;
const CONNECT = 1;
const IPV4 = 1;
const NAME = 3;
const IPV6 = 4;

/** A name, a user or a password, in bytes. */
const TEXT_LIMIT = 255;

/** What the codes of RFC 1928 mean. */
const REFUSALS: readonly string[] = [
  "",
  "a failure of its own",
  "that its rules forbid it",
  "that it has no way to the network",
  "that it has no way to the host",
  "that the connection was refused",
  "that the packet lived too long",
  "that it knows no CONNECT",
  "that it knows no such kind of address",
];

/**
 * Asks a SOCKS 5 proxy to lead a connection on to `target`, whose host is an IP literal or a name
 * that the proxy looks up.
 *
 * @throws {Error} When it does not (`the proxy answers that …`), or the connection is closed.
 */
export async function openSocksTunnel(
  connection: Deno.TcpConn,
  { target, proxy }: { target: HostAndPort; proxy: Proxy },
): Promise<void> {
  const methods = proxy.login ? [NO_LOGIN, LOGIN] : [NO_LOGIN];
  await writeAll(connection, Uint8Array.of(VERSION, methods.length, ...methods));
  const [version, method] = await read(connection, 2);
  if (version !== VERSION) throw new Error("the proxy does not speak SOCKS 5");
  if (method === LOGIN && proxy.login) {
    await logIn(connection, proxy.login);
  } else if (method !== NO_LOGIN) {
    throw new Error("the proxy answers that it wants another proof of who asks");
  }
  const { port } = target;
  const request = [VERSION, CONNECT, 0, ...addressOf(target.host), port >> 8, port & 0xff];
  await writeAll(connection, Uint8Array.from(request));
  await readReply(connection);
}

async function logIn(
  connection: Deno.TcpConn,
  { user, password }: { user: string; password: string },
): Promise<void> {
  const proof = [LOGIN_VERSION, ...counted(user, "user"), ...counted(password, "password")];
  await writeAll(connection, Uint8Array.from(proof));
  const [, status] = await read(connection, 2);
  if (status !== 0) throw new Error("the proxy answers that user or password is wrong");
}

function addressOf(host: string): number[] {
  const bytes = addressBytes(host);
  if (!bytes) return [NAME, ...counted(host, "host")];
  return [bytes.length === 4 ? IPV4 : IPV6, ...bytes];
}

function counted(text: string, what: string): number[] {
  const bytes = new TextEncoder().encode(text);
  if (bytes.length > TEXT_LIMIT) throw new RangeError(`the ${what} is too long for SOCKS 5`);
  return [bytes.length, ...bytes];
}

async function readReply(connection: Deno.TcpConn): Promise<void> {
  const [version, code = 1, , kind] = await read(connection, 4);
  if (version !== VERSION) throw new Error("the proxy does not speak SOCKS 5");
  if (code !== 0) throw new Error(`the proxy answers ${REFUSALS[code] ?? `failure ${code}`}`);
  // From which address it connected does not matter, but has to be read.
  const length = kind === IPV4 ? 4 : kind === IPV6 ? 16 : (await read(connection, 1))[0] ?? 0;
  await read(connection, length + 2);
}

function read(connection: Deno.TcpConn, length: number): Promise<Uint8Array> {
  return readExact(connection, { length, ended: "the proxy hung up" });
}
