import { abortable } from "@std/async/abortable";
import type { Shell } from "../sandbox/shell.ts";
import { describeError, getLogger } from "../log/log.ts";
import { LogRateLimit } from "../log/rate_limit.ts";
import { SystemResolver } from "../net/dns.ts";
import { withTimeout } from "../timeout.ts";
import { type ProbeTarget, urlHost, urlPort } from "../parse/probe_target.ts";
import { probeHttp } from "./http.ts";
import { IcmpProbe } from "./icmp.ts";
import { measure, TIMEOUT_MS } from "./measure.ts";
import { ProbePolicy, ProbeRefusedError } from "./policy.ts";
import { probeTcp } from "./tcp.ts";

/** The panel's value for a lost probe. */
export const LOST_MS = -1;

/** Settings of the probes; the last two are for tests. */
export interface ProberOptions {
  /** `undefined` when there is none: every ICMP probe is lost then. */
  readonly shell: Pick<Shell, "ping"> | undefined;
  /** Whether this machine's own loopback addresses may be probed. */
  readonly allowLoopback: boolean;
  readonly resolver?: Pick<SystemResolver, "resolve">;
  /** Milliseconds on a clock that only runs forward. */
  readonly monotonicMs?: () => number;
}

/** Refusals that are remembered, in order to log each once. */
const MAX_LOGGED_REFUSALS = 1000;

/** Runs probes of all kinds. */
export class Prober {
  readonly #icmp: IcmpProbe;
  readonly #policy: ProbePolicy;
  readonly #log = getLogger("probe");
  readonly #refusalLog = new LogRateLimit({ lines: 3, periodMs: 60_000 });
  readonly #loggedRefusals = new Set<string>();

  constructor(options: ProberOptions) {
    const { shell, allowLoopback, resolver, monotonicMs = () => performance.now() } = options;
    this.#icmp = new IcmpProbe(shell);
    this.#policy = new ProbePolicy({
      allowLoopback,
      resolver: resolver ?? new SystemResolver(),
      monotonicMs,
    });
  }

  /**
   * Measures a target once: whole milliseconds, or -1 when it was lost or may not be probed.
   *
   * @throws The reason of `options.signal` when it aborts; nothing else.
   */
  async probe(target: ProbeTarget, options: { signal: AbortSignal }): Promise<number> {
    const { kind } = target;
    const host = kind === "http" ? urlHost(target.url) : target.host;
    const port = kind === "http" ? urlPort(target.url) : kind === "tcp" ? target.port : undefined;
    let addresses: readonly string[] = [];
    const before = async (signal: AbortSignal) => {
      addresses = await withTimeout(
        (signal) => abortable(this.#policy.resolve(host, { signal }), signal),
        { timeoutMs: TIMEOUT_MS, signal },
      );
      await this.#policy.wait(addresses, { port, signal });
    };
    const measured = await measure(
      (signal) => this.#run(target, { addresses, signal }),
      { ...options, kind, before },
    );
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

  async #run(
    target: ProbeTarget,
    { addresses, signal }: { addresses: readonly string[]; signal: AbortSignal },
  ): Promise<number> {
    switch (target.kind) {
      case "http":
        return await probeHttp(target.url, { addresses, signal, resolver: this.#policy });
      case "tcp":
        return await probeTcp(addresses, { signal, port: target.port });
      case "icmp":
        return await this.#icmp.probe(addresses, { signal });
    }
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
