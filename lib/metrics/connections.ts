import type { Source } from "../host/host.ts";
import { parseSockstat } from "../parse/sockstat.ts";
import { parseSource } from "./snapshot.ts";
import type { Connections } from "../types.ts";

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
  collect(): Connections | undefined {
    const ipv4 = parseSource(this.#ipv4, parseSockstat);
    if (ipv4 === undefined) return undefined;
    const ipv6 = parseSource(this.#ipv6, parseSockstat);
    return {
      tcp: ipv4.tcp + ipv4.tcpTimeWait + (ipv6?.tcp ?? 0),
      udp: ipv4.udp + (ipv6?.udp ?? 0),
    };
  }
}
