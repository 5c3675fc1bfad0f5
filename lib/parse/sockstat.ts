import { findLine, firstLine } from "./lines.ts";

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
  const tcp = findLine(text, "TCP:") ?? findLine(text, "TCP6:");
  const udp = findLine(text, "UDP:") ?? findLine(text, "UDP6:");
  if (tcp === undefined && udp === undefined) {
    throw new SyntaxError(`Cannot parse sockstat: no TCP or UDP after "${firstLine(text)}"`);
  }
  return {
    tcp: tcp === undefined ? undefined : count(tcp, "inuse"),
    tcpTimeWait: tcp?.includes(" tw ") ? count(tcp, "tw") : 0,
    udp: udp === undefined ? undefined : count(udp, "inuse"),
  };
}

function count(line: string, name: string): number {
  const words = line.split(" ");
  const value = Number(words[words.indexOf(name) + 1]);
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new SyntaxError(`Cannot parse sockstat: no "${name}" in "${firstLine(line)}"`);
  }
  return value;
}
