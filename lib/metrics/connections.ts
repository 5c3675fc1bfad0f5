import type { Source } from "../host/host.ts";
import { parseSockstat } from "../parse/sockstat.ts";
import type { Connections as Counts } from "../types.ts";

/**
 * Counts TCP and UDP sockets of both families, from `net/sockstat` and `net/sockstat6`.
 *
 * The cost does not depend on their number; for `net/tcp` the kernel walks its whole hash table.
 */
export class ConnectionCollector {
  readonly #ipv4: Source;
  readonly #ipv6: Source;

  constructor(ipv4: Source, ipv6: Source) {
    this.#ipv4 = ipv4;
    this.#ipv6 = ipv6;
  }

  /**
   * Numbers of sockets; a machine without IPv6 has no second file.
   *
   * @throws {SyntaxError} When the kernel's text is malformed.
   */
  collect(): Counts | undefined {
    const text = this.#ipv4.read();
    if (text === undefined) return undefined;
    const { tcp, tcpTimeWait, udp } = parseSockstat(text);
    const text6 = this.#ipv6.read();
    const ipv6 = text6 === undefined ? undefined : parseSockstat(text6);
    return { tcp: tcp + tcpTimeWait + (ipv6?.tcp ?? 0), udp: udp + (ipv6?.udp ?? 0) };
  }
}
