import { decimalAt, findLine, firstLine } from "./bounded_text.ts";

/** Numbers of sockets of one address family. */
export interface SocketCounts {
  /** TCP sockets in every state but TIME_WAIT; `undefined` without a TCP line. */
  tcp: number | undefined;
  /** TCP sockets in TIME_WAIT; only in the IPv4 file, for both families. */
  tcpTimeWait: number;
  /** UDP sockets; `undefined` without a UDP line. */
  udp: number | undefined;
}

/**
 * Parses `/proc/net/sockstat` or `/proc/net/sockstat6`.
 *
 * @throws {SyntaxError} When a line of TCP or UDP has no count, or both are missing; the message
 * quotes the line.
 */
export function parseSockstat(text: string): SocketCounts {
  const tcp = protocolLine(text, "TCP");
  const udp = protocolLine(text, "UDP");
  if (tcp === undefined && udp === undefined) {
    throw new SyntaxError(`Cannot parse sockstat: no TCP or UDP after "${firstLine(text)}"`);
  }
  return {
    tcp: tcp === undefined ? undefined : countAfter(tcp, " inuse "),
    tcpTimeWait: tcp?.includes(" tw ") ? countAfter(tcp, " tw ") : 0,
    udp: udp === undefined ? undefined : countAfter(udp, " inuse "),
  };
}

function protocolLine(text: string, protocol: string): string | undefined {
  return findLine(text, `${protocol}:`) ?? findLine(text, `${protocol}6:`);
}

function countAfter(line: string, name: string): number {
  const at = line.indexOf(name);
  const count = at === -1 ? NaN : decimalAt(line, at + name.length) ?? NaN;
  if (!Number.isSafeInteger(count)) {
    throw new SyntaxError(`Cannot parse sockstat: no count in "${firstLine(line)}"`);
  }
  return count;
}
