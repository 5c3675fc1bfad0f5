/**
 * Asks one name server about one name by UDP, and says what exactly it answers, which the system's
 * resolver keeps to itself.
 *
 * @module
 */

import { withTimeout } from "../async/timeout.ts";

/** The answer of a name server. */
export interface DnsAnswer {
  /** The name of its response code (RFC 1035), such as `NOERROR`, `SERVFAIL`, `NXDOMAIN`, `REFUSED`. */
  readonly code: string;
  /** The addresses in it. */
  readonly addresses: readonly string[];
  readonly ms: number;
}

const CODES: readonly string[] = [
  ...["NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"],
];
const PORT = 53;
const TYPES = { A: 1, AAAA: 28 } as const;
const CLASS_IN = 1;
const HEADER_BYTES = 12;

/**
 * Asks a name server for the addresses of a name, of IPv4 by type A or of IPv6 by type AAAA.
 *
 * @param server An address.
 * @throws {DOMException} `TimeoutError` when there is no answer.
 * @throws {Error} When nothing can be sent, or the answer is malformed.
 */
export async function queryNameServer(
  { host: server, port = PORT }: { host: string; port?: number },
  name: string,
  { type = "A", timeoutMs, signal }: {
    type?: keyof typeof TYPES;
    timeoutMs: number;
    signal: AbortSignal;
  },
): Promise<DnsAnswer> {
  const { createSocket } = await import("node:dgram");
  const id = crypto.getRandomValues(new Uint16Array(1))[0] ?? 0;
  const startedAtMs = performance.now();
  const socket = createSocket(server.includes(":") ? "udp6" : "udp4");
  try {
    return await withTimeout((signal) => {
      const { promise, resolve, reject } = Promise.withResolvers<DnsAnswer>();
      signal.addEventListener("abort", () => reject(signal.reason));
      socket.on("error", reject);
      socket.on("message", (message: Uint8Array, from) => {
        // Every local user could send an answer, but not from a port below 1024.
        const answer = from.port === port ? parseDnsAnswer(message, id) : undefined;
        if (answer !== undefined) resolve({ ...answer, ms: performance.now() - startedAtMs });
      });
      socket.send(dnsQuery(name, id, type), port, server, (error) => error && reject(error));
      return promise;
    }, { timeoutMs, signal });
  } finally {
    socket.close();
  }
}

/** A question for the addresses of a name, which the server may ask others about. */
export function dnsQuery(
  name: string,
  id: number,
  type: keyof typeof TYPES = "A",
): Uint8Array {
  const labels = name.replace(/\.$/, "").split(".").map((it) => new TextEncoder().encode(it));
  const length = labels.reduce((sum, label) => sum + label.length + 1, 1);
  const bytes = new Uint8Array(HEADER_BYTES + length + 4);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, id);
  bytes[2] = 1;
  bytes[5] = 1;
  let at = HEADER_BYTES;
  for (const label of labels) {
    bytes[at] = label.length;
    bytes.set(label, at + 1);
    at += label.length + 1;
  }
  view.setUint16(at + 1, TYPES[type]);
  view.setUint16(at + 3, CLASS_IN);
  return bytes;
}

/** Reads an answer; `undefined` for what is none to the question of this id. */
export function parseDnsAnswer(bytes: Uint8Array, id: number): Omit<DnsAnswer, "ms"> | undefined {
  if (bytes.length < HEADER_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [, , flags = 0, codeByte = 0] = bytes;
  if (view.getUint16(0) !== id || (flags & 0x80) === 0) return undefined;
  const number = codeByte & 0x0f;
  const code = CODES[number] ?? `response code ${number}`;
  const addresses: string[] = [];
  let at = HEADER_BYTES;
  const skipName = () => {
    for (let length = bytes[at] ?? 0; length > 0; length = bytes[at] ?? 0) {
      // A pointer to a name ends this one.
      if (length >= 0xc0) {
        at += 2;
        return;
      }
      at += length + 1;
    }
    at++;
  };
  for (let left = view.getUint16(4); left > 0 && at < bytes.length; left--) {
    skipName();
    at += 4;
  }
  for (let left = view.getUint16(6); left > 0 && at < bytes.length; left--) {
    skipName();
    if (at + 10 > bytes.length) break;
    const [type, length] = [view.getUint16(at), view.getUint16(at + 8)];
    at += 10;
    const isWhole = at + length <= bytes.length;
    if (type === TYPES.A && length === 4 && isWhole) {
      addresses.push(bytes.subarray(at, at + 4).join("."));
    }
    if (type === TYPES.AAAA && length === 16 && isWhole) {
      const groups = Array.from({ length: 8 }, (_, index) => view.getUint16(at + 2 * index));
      const long = groups.map((group) => group.toString(16)).join(":");
      addresses.push(new URL(`http://[${long}]`).hostname.slice(1, -1));
    }
    at += length;
  }
  return { code, addresses };
}
