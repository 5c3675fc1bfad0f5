import { decimalAt, lineAt } from "./scan.ts";

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
 * @throws {SyntaxError} When TCP or UDP has no line or no count; the message quotes the line.
 */
export function parseSockstat(text: string): SocketCounts {
  const tcp = protocolLine(text, "TCP");
  return {
    tcp: countAfter(tcp, " inuse "),
    tcpTimeWait: tcp.includes(" tw ") ? countAfter(tcp, " tw ") : 0,
    udp: countAfter(protocolLine(text, "UDP"), " inuse "),
  };
}

function protocolLine(text: string, protocol: string): string {
  let at = text.indexOf(protocol);
  while (at !== -1) {
    const startsLine = at === 0 || text[at - 1] === "\n";
    // UDPLITE has lines of its own.
    if (startsLine && (text.startsWith(":", at + 3) || text.startsWith("6:", at + 3))) {
      return lineAt(text, at);
    }
    at = text.indexOf(protocol, at + 1);
  }
  throw new SyntaxError(`Cannot parse sockstat: no ${protocol} after "${lineAt(text, 0)}"`);
}

function countAfter(line: string, name: string): number {
  const at = line.indexOf(name);
  const value = at === -1 ? undefined : decimalAt(line, at + name.length);
  if (value === undefined) {
    throw new SyntaxError(`Cannot parse sockstat: no "${name.trim()}" in "${line}"`);
  }
  return value;
}
