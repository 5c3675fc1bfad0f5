import type { Shell } from "../host/shell.ts";
import { describeError, getLogger } from "../log/log.ts";
import { SystemResolver } from "../net/dns.ts";
import { type ProbeTarget, urlHost } from "../parse/probe_target.ts";
import { probeHttp } from "./http.ts";
import { IcmpProbe } from "./icmp.ts";
import { measure } from "./measure.ts";
import { probeTcp } from "./tcp.ts";

/** The panel's value for a lost probe. */
export const LOST_MS = -1;

/** Runs probes of all kinds. */
export class Prober {
  readonly #icmp: IcmpProbe;
  readonly #resolver: Pick<SystemResolver, "resolve">;
  readonly #log = getLogger("probe");

  constructor(
    options: { shell: Pick<Shell, "ping"> | undefined; resolver?: Pick<SystemResolver, "resolve"> },
  ) {
    this.#icmp = new IcmpProbe(options.shell);
    this.#resolver = options.resolver ?? new SystemResolver();
  }

  /**
   * Measures a target once: whole milliseconds, or -1 when it was lost.
   *
   * @throws The reason of `options.signal` when it aborts; nothing else.
   */
  async probe(target: ProbeTarget, options: { signal: AbortSignal }): Promise<number> {
    const { kind } = target;
    const measured = await measure((signal) => this.#once(target, signal), { ...options, kind });
    if (!measured.lost) return measured.ms;
    this.#log.debug("{kind} probe of {host} lost: {reason}", {
      kind,
      host: kind === "http" ? urlHost(target.url) : target.host,
      reason: describeError(measured.reason),
    });
    return LOST_MS;
  }

  async #once(target: ProbeTarget, signal: AbortSignal): Promise<number> {
    if (target.kind === "http") {
      return await probeHttp(target.url, { signal, resolver: this.#resolver });
    }
    const addresses = await this.#resolver.resolve(target.host, { signal });
    return target.kind === "tcp"
      ? await probeTcp(addresses, { signal, port: target.port })
      : await this.#icmp.probe(addresses, { signal });
  }
}
