import { describeError, getLogger } from "../log/log.ts";
import { LogRateLimit } from "../log/rate_limit.ts";
import { type ProbeTarget, urlHost } from "../parse/probe_target.ts";
import type { Shell } from "../sandbox/shell.ts";
import { HttpProbe } from "./http.ts";
import { IcmpProbe } from "./icmp.ts";
import { type Attempt, measure } from "./measure.ts";
import { type ProbePolicy, ProbeRefusedError } from "./policy.ts";
import { probeTcp } from "./tcp.ts";

/** The panel's value for a lost probe. */
export const LOST_MS = -1;

/** Refusals that are remembered, in order to log each once. */
const MAX_LOGGED_REFUSALS = 1000;

/** Runs probes of all kinds. */
export class Prober {
  readonly #icmp: IcmpProbe;
  readonly #http: HttpProbe;
  readonly #policy: ProbePolicy;
  readonly #log = getLogger("probe");
  readonly #refusalLog = new LogRateLimit({ lines: 3, periodMs: 60_000 });
  readonly #loggedRefusals = new Set<string>();

  /** Without a shell every ICMP probe is lost. */
  constructor(shell: Pick<Shell, "ping"> | undefined, policy: ProbePolicy) {
    this.#icmp = new IcmpProbe(shell);
    this.#http = new HttpProbe(policy);
    this.#policy = policy;
  }

  /**
   * Measures a target once: whole milliseconds, or -1 when it was lost or may not be probed.
   *
   * @throws The reason of `options.signal` when it aborts; nothing else.
   */
  async probe(target: ProbeTarget, options: { signal: AbortSignal }): Promise<number> {
    const { kind } = target;
    const host = kind === "http" ? urlHost(target.url) : target.host;
    const measured = await measure((attempt) => this.#run(target, attempt), { ...options, kind });
    if (!measured.lost) {
      const { ms } = measured;
      this.#log.debug("{kind} probe of {host}: {ms} ms", { event: "probe", kind, host, ms });
      return ms;
    }
    const { reason } = measured;
    if (reason instanceof ProbeRefusedError) this.#logRefusal(reason.message);
    this.#log.debug("{kind} probe of {host} lost: {reason}", {
      event: "probe",
      kind,
      host,
      reason: describeError(reason),
    });
    return LOST_MS;
  }

  async #run(target: ProbeTarget, attempt: Attempt): Promise<number> {
    if (target.kind === "http") return await this.#http.probe(target.url, attempt);
    const { signal } = attempt;
    const { host } = target;
    if (target.kind === "tcp") {
      const { port } = target;
      const addresses = await attempt.unmeasured(() => this.#policy.admit(host, { port, signal }));
      return await probeTcp(addresses, { port, signal });
    }
    const addresses = await attempt.unmeasured(() => this.#policy.admit(host, { signal }));
    return await this.#icmp.probe(addresses, { signal });
  }

  /** Each refusal once, and few of many. */
  #logRefusal(message: string): void {
    const isKnown = this.#loggedRefusals.has(message);
    if (isKnown || this.#loggedRefusals.size >= MAX_LOGGED_REFUSALS) return;
    this.#loggedRefusals.add(message);
    if (!this.#refusalLog.allows()) return;
    const more = this.#refusalLog.takeSuppressed();
    this.#log.warning("{message}; its result is -1{more}", { message, more });
  }
}
