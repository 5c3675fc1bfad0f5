import { decimalAt, lineAt } from "./scan.ts";

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
    throw new SyntaxError(`Cannot parse sockstat: no TCP or UDP after "${lineAt(text, 0)}"`);
  }
  return {
    tcp: tcp === undefined ? undefined : countAfter(tcp, " inuse "),
    tcpTimeWait: tcp?.includes(" tw ") ? countAfter(tcp, " tw ") : 0,
    udp: udp === undefined ? undefined : countAfter(udp, " inuse "),
  };
}

function protocolLine(text: string, protocol: string): string | undefined {
  let at = text.indexOf(protocol);
  while (at !== -1) {
    const startsLine = at === 0 || text[at - 1] === "\n";
    // UDPLITE has lines of its own.
    if (startsLine && (text.startsWith(":", at + 3) || text.startsWith("6:", at + 3))) {
      return lineAt(text, at);
    }
    at = text.indexOf(protocol, at + 1);
  }
  return undefined;
}

function countAfter(line: string, name: string): number {
  const at = line.indexOf(name);
  const value = at === -1 ? undefined : decimalAt(line, at + name.length);
  if (value === undefined) {
    throw new SyntaxError(`Cannot parse sockstat: no "${name.trim()}" in "${line}"`);
  }
  return value;
}
