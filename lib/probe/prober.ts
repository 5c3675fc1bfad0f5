import { describeError, getLogger } from "../log/log.ts";
import { LogRateLimit } from "../log/rate_limit.ts";
import { type ProbeTarget, urlHost } from "../parse/probe_target.ts";
import type { ProblemObserver } from "../state/health_file.ts";
import { HttpProbe } from "./http.ts";
import { IcmpProbe, type Pinger } from "./icmp.ts";
import { measure, withinLimit } from "./measure.ts";
import { type ProbePolicy, ProbeRefusedError, TooManyProbesError } from "./policy.ts";
import { probeTcp } from "./first_reachable.ts";

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
  readonly #refusalLog = new LogRateLimit({ lines: 3 });
  readonly #loggedRefusals = new Set<string>();

  /** Without a shell every ICMP probe is lost. */
  constructor(
    shell: Pinger | undefined,
    policy: ProbePolicy,
    observer?: ProblemObserver,
  ) {
    this.#icmp = new IcmpProbe(shell, observer);
    this.#http = new HttpProbe(policy);
    this.#policy = policy;
  }

  /**
   * Measures a target once: milliseconds with their fraction, or -1 when it was lost or may not be probed.
   * `undefined` when it was not measured, since too many probes of its address are due.
   *
   * @throws The reason of `options.signal` when it aborts; nothing else.
   */
  async probe(
    target: ProbeTarget,
    { signal }: { signal: AbortSignal },
  ): Promise<number | undefined> {
    const { kind } = target;
    const host = kind === "http" ? urlHost(target.url) : target.host;
    const fields = { event: "probe", kind, host };
    try {
      const exactMs = await measure(() => this.#run(target, signal), kind);
      const ms = Math.floor(exactMs);
      this.#log.debug("{kind} probe of {host}: {ms} ms", { ...fields, ms });
      return exactMs;
    } catch (error) {
      signal.throwIfAborted();
      const isMade = !(error instanceof TooManyProbesError);
      if (!isMade) this.#logRefusal(error, "nothing is sent for it");
      if (error instanceof ProbeRefusedError) this.#logRefusal(error, "its result is -1");
      const outcome = isMade ? "lost" : "not made";
      const reason = describeError(error);
      this.#log.debug("{kind} probe of {host} {outcome}: {reason}", { ...fields, outcome, reason });
      return isMade ? LOST_MS : undefined;
    }
  }

  async #run(target: ProbeTarget, signal: AbortSignal): Promise<number> {
    if (target.kind === "http") return await this.#http.probe(target.url, { signal });
    const addresses = await this.#policy.admit(target.host, { signal });
    return await withinLimit(
      signal,
      (signal) =>
        target.kind === "tcp"
          ? probeTcp(addresses, { port: target.port, signal })
          : this.#icmp.probe(addresses, { signal }),
    );
  }

  /** Each refusal once, and few of many. */
  #logRefusal({ message: refusal }: Error, outcome: string): void {
    const isKnown = this.#loggedRefusals.has(refusal);
    if (isKnown || this.#loggedRefusals.size >= MAX_LOGGED_REFUSALS) return;
    this.#loggedRefusals.add(refusal);
    this.#refusalLog.write((more) =>
      this.#log.warning("{refusal}; {outcome}{more}", { refusal, outcome, more })
    );
  }
}
