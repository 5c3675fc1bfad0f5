import { decimalAt, findLine, firstLine } from "./bounded_text.ts";

/** Numbers of sockets of one address family. */
export interface SocketCounts {
  /** TCP sockets in every state but TIME_WAIT. */
  tcp: number;
  /** TCP sockets in TIME_WAIT; only in the IPv4 file, for both families. */
  tcpTimeWait: number;
  udp: number;
}

/**
 * Parses `/proc/net/sockstat` or `/proc/net/sockstat6`.
 *
 * @throws {SyntaxError} When a line of TCP or UDP is missing or has no count; the message
 * quotes the line.
 */
export function parseSockstat(text: string): SocketCounts {
  const tcp = protocolLine(text, "TCP");
  const udp = protocolLine(text, "UDP");
  if (tcp === undefined || udp === undefined) {
    throw new SyntaxError(`Cannot parse sockstat: no TCP or UDP after "${firstLine(text)}"`);
  }
  return {
    tcp: countAfter(tcp, " inuse "),
    tcpTimeWait: tcp.includes(" tw ") ? countAfter(tcp, " tw ") : 0,
    udp: countAfter(udp, " inuse "),
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
