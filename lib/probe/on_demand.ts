import type { BoundedQueue } from "../bounded_queue.ts";
import { describeError, getLogger } from "../log/log.ts";
import { LogRateLimit } from "../log/rate_limit.ts";
import { parseProbeTarget, type ProbeTarget } from "../parse/probe_target.ts";
import type { ProbeKind, ProbeResult } from "../types.ts";
import { LOST_MS } from "./prober.ts";
import { createRunQueue } from "./run_queue.ts";

/** One probe that the panel orders. */
export interface ProbeOrder {
  readonly taskId: number;
  readonly probe: ProbeKind;
  readonly target: string;
}

/** Settings of probes on demand; the last two are for tests. */
export interface OnDemandProbesOptions {
  /** Runs a probe: whole milliseconds, or -1; rejects only when the signal aborts. */
  probe(target: ProbeTarget, options: { signal: AbortSignal }): Promise<number>;
  onResult(result: ProbeResult): void;
  timers?: Pick<typeof globalThis, "setTimeout" | "clearTimeout">;
  /** Milliseconds on a clock that only runs forward. */
  monotonicMs?: () => number;
}

interface Entry {
  readonly order: ProbeOrder;
  readonly orderedAtMs: number;
}

/** A probe that has waited for longer is dropped: the panel dates a result by its arrival. */
const STALE_MS = 10_000;

/** Runs probes as the panel orders them: few at a time, and each task only once at a time. */
export class OnDemandProbes {
  readonly #options: OnDemandProbesOptions;
  readonly #monotonicMs: () => number;
  readonly #log = getLogger("probe");
  readonly #stopped = new AbortController();
  readonly #tasks = new Set<number>();
  readonly #queue: BoundedQueue<Entry>;
  readonly #dropLog: LogRateLimit;
  readonly #targetLog: LogRateLimit;

  constructor(options: OnDemandProbesOptions) {
    this.#options = options;
    this.#monotonicMs = options.monotonicMs ?? (() => performance.now());
    const minute = { lines: 1, periodMs: 60_000, monotonicMs: this.#monotonicMs };
    this.#dropLog = new LogRateLimit(minute);
    this.#targetLog = new LogRateLimit(minute);
    this.#queue = createRunQueue({
      run: (entry) => this.#run(entry),
      isWanted: (entry) => this.#isFresh(entry),
      timers: options.timers ?? globalThis,
      monotonicMs: this.#monotonicMs,
    });
  }

  /** Runs a probe soon, unless the same task is running or too many wait. */
  order(order: ProbeOrder): void {
    if (this.#stopped.signal.aborted || this.#tasks.has(order.taskId)) return;
    const entry = { order, orderedAtMs: this.#monotonicMs() };
    this.#tasks.add(order.taskId);
    if (this.#queue.add(entry)) return;
    this.#tasks.delete(order.taskId);
    this.#logDropped();
  }

  /** Aborts all probes; no result comes after it. */
  stop(): void {
    this.#stopped.abort();
    this.#queue.clear();
    this.#tasks.clear();
  }

  #isFresh({ order, orderedAtMs }: Entry): boolean {
    if (this.#monotonicMs() - orderedAtMs < STALE_MS) return true;
    this.#tasks.delete(order.taskId);
    this.#logDropped();
    return false;
  }

  async #run({ order }: Entry): Promise<void> {
    const { signal } = this.#stopped;
    const valueMs = await this.#measure(order, signal);
    this.#tasks.delete(order.taskId);
    if (signal.aborted) return;
    const { taskId, probe: kind } = order;
    this.#options.onResult({ taskId, kind, valueMs, finishedAt: new Date() });
  }

  async #measure({ probe, target }: ProbeOrder, signal: AbortSignal): Promise<number> {
    try {
      return await this.#options.probe(parseProbeTarget(probe, target), { signal });
    } catch (error) {
      if (!signal.aborted) this.#logBadTarget(error);
      return LOST_MS;
    }
  }

  #logDropped(): void {
    if (!this.#dropLog.allows()) return;
    const more = this.#dropLog.takeSuppressed();
    this.#log.warning("The panel orders more probes than can be run; some are dropped{more}", {
      more,
    });
  }

  #logBadTarget(error: unknown): void {
    if (!this.#targetLog.allows()) return;
    const more = this.#targetLog.takeSuppressed();
    this.#log.warning("{error}; its result is -1{more}", { error: describeError(error), more });
  }
}
