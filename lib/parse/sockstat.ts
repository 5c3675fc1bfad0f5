import { firstLine } from "./lines.ts";

/** Numbers of sockets of one address family. */
export interface SocketCounts {
  /** TCP sockets in every state but TIME_WAIT; `undefined` without a TCP line. */
  tcp: number | undefined;
  /** TCP sockets in TIME_WAIT; only in the IPv4 file, for both families. */
  tcpTimeWait: number;
  /** UDP sockets; `undefined` without a UDP line. */
  udp: number | undefined;
}

const TCP = /^TCP6?:(?: inuse (\S+))?(?:.* tw (\S+))?.*$/m;
const UDP = /^UDP6?:(?: inuse (\S+))?.*$/m;

/**
 * Parses `/proc/net/sockstat` or `/proc/net/sockstat6`.
 *
 * @throws {SyntaxError} When a line of TCP or UDP has no count, or both are missing; the message
 * quotes the line.
 */
export function parseSockstat(text: string): SocketCounts {
  const tcp = TCP.exec(text);
  const udp = UDP.exec(text);
  if (tcp === null && udp === null) {
    throw new SyntaxError(`Cannot parse sockstat: no TCP or UDP after "${firstLine(text)}"`);
  }
  return {
    tcp: tcp === null ? undefined : parseCount(tcp[1], tcp[0]),
    tcpTimeWait: tcp === null ? 0 : parseCount(tcp[2] ?? "0", tcp[0]),
    udp: udp === null ? undefined : parseCount(udp[1], udp[0]),
  };
}

function parseCount(word: string | undefined, line: string): number {
  const count = Number(word);
  if (!Number.isSafeInteger(count) || count < 0) {
    throw new SyntaxError(`Cannot parse sockstat: no count in "${firstLine(line)}"`);
  }
  return count;
}

const PROTOCOL = /^([A-Za-z]{1,16}[46]?):((?: [a-z]{1,16} \d{1,15})+)$/gm;

/**
 * Parses all fields of `/proc/net/sockstat` or `/proc/net/sockstat6`, as in `TCP_inuse`. A line of
 * another form has no entry.
 */
export function parseSockstatFields(text: string): Map<string, number> {
  const fields = new Map<string, number>();
  for (const [, protocol, pairs = ""] of text.matchAll(PROTOCOL)) {
    for (const [, name, value] of pairs.matchAll(/ ([a-z]+) (\d+)/g)) {
      fields.set(`${protocol}_${name}`, Number(value));
    }
  }
  return fields;
}
