import type { Source } from "../host/host.ts";
import { parseSockstat, type SocketCounts } from "../parse/sockstat.ts";
import type { Connections } from "../types.ts";

/**
 * Counts TCP and UDP sockets of both families, from `net/sockstat` and `net/sockstat6`.
 *
 * The cost does not depend on their number; for `net/tcp` the kernel walks its whole hash table.
 */
export class ConnectionCollector {
  readonly #ipv4: Source;
  readonly #ipv6: Source;
  #missing: Error | undefined;

  constructor(ipv4: Source, ipv6: Source) {
    this.#ipv4 = ipv4;
    this.#ipv6 = ipv6;
  }

  /**
   * Numbers of sockets; a machine without IPv6 has no second file. A missing protocol counts as none.
   *
   * @throws {SyntaxError} When the kernel's text is malformed.
   */
  collect(): Connections | undefined {
    const text = this.#ipv4.read();
    if (text === undefined) return undefined;
    const ipv4 = parseSockstat(text);
    const text6 = this.#ipv6.read();
    const ipv6 = text6 === undefined ? undefined : parseSockstat(text6);
    this.#missing = missingProtocol("sockstat", ipv4) ??
      (ipv6 && missingProtocol("sockstat6", ipv6));
    return {
      tcp: (ipv4.tcp ?? 0) + ipv4.tcpTimeWait + (ipv6?.tcp ?? 0),
      udp: (ipv4.udp ?? 0) + (ipv6?.udp ?? 0),
    };
  }

  /** The error for a protocol without a line. */
  missingPart(): Error | undefined {
    return this.#missing;
  }
}

function missingProtocol(file: string, { tcp, udp }: SocketCounts): Error | undefined {
  if (tcp !== undefined && udp !== undefined) return undefined;
  return new Error(`Cannot read ${file}: no line of ${tcp === undefined ? "TCP" : "UDP"}`);
}
