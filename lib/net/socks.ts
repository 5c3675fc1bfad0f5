import { addressBytes } from "../parse/ip_address.ts";
import type { HostAndPort, Proxy } from "../parse/proxy.ts";
import { writeAll } from "../io/write_all.ts";
import { readExact } from "./byte_stream.ts";

const VERSION = 5;
const LOGIN_VERSION = 1;
const NO_LOGIN = 0;
const LOGIN = 2;
const CONNECT = 1;
const IPV4 = 1;
const NAME = 3;
const IPV6 = 4;

/** Longest name, user or password, in bytes. */
const TEXT_LIMIT = 255;

/** Messages for the reply codes of RFC 1928. */
const REFUSALS: readonly string[] = [
  "",
  "with a general failure",
  "that its rules forbid the connection",
  "that the network is unreachable",
  "that the host is unreachable",
  "that the connection was refused",
  "that the TTL expired",
  "that it does not support CONNECT",
  "that it does not support this type of address",
];

/**
 * Opens a tunnel to `target` through a SOCKS 5 proxy (RFC 1928). A host that is no IP literal is
 * resolved by the proxy.
 *
 * @throws {Error} When the proxy refuses (`the proxy answers that …`), or closes the connection.
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
    throw new Error("the proxy requires another authentication method");
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
  const login = [LOGIN_VERSION, ...counted(user, "user"), ...counted(password, "password")];
  await writeAll(connection, Uint8Array.from(login));
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
  // The bound address is not needed, but has to be read.
  const length = kind === IPV4 ? 4 : kind === IPV6 ? 16 : (await read(connection, 1))[0] ?? 0;
  await read(connection, length + 2);
}

function read(connection: Deno.TcpConn, length: number): Promise<Uint8Array> {
  return readExact(connection, { length, ended: "the proxy closed the connection" });
}
