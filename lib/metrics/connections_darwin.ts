import type { Source } from "../host/host.ts";
import { parseSysctl } from "../parse/sysctl.ts";
import type { Connections } from "../types.ts";

/**
 * TCP and UDP sockets of a Mac, of both families and in every state: the kernel's own count of its
 * control blocks, by `sysctl net.inet.tcp.pcbcount net.inet.udp.pcbcount`.
 *
 * The cost does not grow with them; `netstat -an` lists them all.
 */
export class DarwinConnectionCollector {
  readonly #sysctl: Source;

  constructor(sysctl: Source) {
    this.#sysctl = sysctl;
  }

  /** @throws {Error} When the output can't be had, or has no count. */
  collect(): Connections | undefined {
    const text = this.#sysctl.read();
    if (text === undefined) return undefined;
    const values = parseSysctl(text);
    const count = (name: string): number => {
      const value = values.get(name) ?? "";
      if (!/^\d{1,15}$/.test(value)) throw new SyntaxError(`Cannot parse sysctl: no ${name}`);
      return Number(value);
    };
    return { tcp: count("net.inet.tcp.pcbcount"), udp: count("net.inet.udp.pcbcount") };
  }
}
