import { parseConnectAnswer } from "../parse/connect_answer.ts";
import type { Proxy } from "../parse/proxy.ts";
import type { Endpoint } from "./connector.ts";
import { writeAll } from "./pass.ts";

/** The head of a proxy's answer. */
const HEAD_LIMIT = 16 * 1024;

/**
 * Asks an HTTP proxy to lead a connection on to `target`, by `CONNECT`.
 *
 * @throws {Error} When it does not (`the proxy answers 407 …`), or the connection is closed.
 */
export async function openHttpTunnel(
  connection: Deno.TcpConn,
  { target, proxy }: { target: Endpoint; proxy: Proxy },
): Promise<void> {
  const { host, port } = target;
  const authority = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  const authorization = basicAuthorization(proxy);
  const request = [
    `CONNECT ${authority} HTTP/1.1`,
    `Host: ${authority}`,
    ...(authorization === undefined ? [] : [`Proxy-Authorization: ${authorization}`]),
    "\r\n",
  ].join("\r\n");
  await writeAll(connection, new TextEncoder().encode(request));
  const { status, reason } = parseConnectAnswer(await readHead(connection));
  if (status < 200 || status > 299) {
    throw new Error(`the proxy answers ${`${status} ${reason}`.trimEnd()}`);
  }
}

/** The value of `Proxy-Authorization`; `undefined` when the proxy's URL has no user. */
export function basicAuthorization({ login }: Proxy): string | undefined {
  if (!login) return undefined;
  const bytes = new TextEncoder().encode(`${login.user}:${login.password}`);
  return `Basic ${btoa(String.fromCharCode(...bytes))}`;
}

async function readHead(connection: Deno.TcpConn): Promise<string> {
  const buffer = new Uint8Array(1024);
  let head = "";
  while (head.length < HEAD_LIMIT) {
    const count = await connection.read(buffer);
    if (count === null) throw new Error("the proxy hung up");
    // Byte for character, since a word in another encoding must not move the end.
    head += String.fromCharCode(...buffer.subarray(0, count));
    const end = /\r?\n\r?\n/.exec(head);
    if (!end) continue;
    const isTunnel = /^HTTP\/1\.[01] +2/.test(head);
    // Through a tunnel this side speaks first.
    if (isTunnel && end.index + end[0].length < head.length) {
      throw new Error("the proxy says more than its answer");
    }
    return head;
  }
  throw new Error("the proxy's answer is too long");
}
