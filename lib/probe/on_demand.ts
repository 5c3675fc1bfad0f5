import { describeError, getLogger } from "../log/log.ts";
import { parseProbeTarget, type ProbeTarget } from "../parse/probe_target.ts";
import type { ProbeKind, ProbeResult } from "../types.ts";
import { LOST_MS } from "./prober.ts";
import { RunQueue } from "./run_queue.ts";

/** One run that the panel wants now. */
export interface ProbeOrder {
  readonly taskId: number;
  readonly probe: ProbeKind;
  readonly target: string;
}

/** What runs on demand work with; the last two are for tests. */
export interface OnDemandProbesOptions {
  /** One run: whole milliseconds, or -1; rejects only when the signal aborts. */
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

/** The panel dates a result by its arrival: what has waited for longer would tell of another time. */
const STALE_MS = 10_000;

/** How often it is said that runs are dropped. */
const TELL_EVERY_MS = 60_000;

/** Runs probes as the panel orders them: few at a time, the same task never twice at once. */
export class OnDemandProbes {
  readonly #options: OnDemandProbesOptions;
  readonly #monotonicMs: () => number;
  readonly #log = getLogger("probe");
  readonly #stopped = new AbortController();
  readonly #tasks = new Set<number>();
  readonly #queue: RunQueue<Entry>;
  readonly #toldAtMs = { full: -Infinity, odd: -Infinity };

  constructor(options: OnDemandProbesOptions) {
    this.#options = options;
    this.#monotonicMs = options.monotonicMs ?? (() => performance.now());
    this.#queue = new RunQueue({
      run: (entry) => this.#run(entry),
      isWanted: (entry) => this.#isFresh(entry),
      timers: options.timers ?? globalThis,
      monotonicMs: this.#monotonicMs,
    });
  }

  /** Runs a probe soon, unless the same task is under way or too many wait. */
  order(order: ProbeOrder): void {
    if (this.#stopped.signal.aborted || this.#tasks.has(order.taskId)) return;
    const entry = { order, orderedAtMs: this.#monotonicMs() };
    this.#tasks.add(order.taskId);
    if (this.#queue.add(entry)) return;
    this.#tasks.delete(order.taskId);
    this.#tellFull();
  }

  /** Ends everything, runs under way included; no result comes after it. */
  stop(): void {
    this.#stopped.abort();
    this.#queue.clear();
    this.#tasks.clear();
  }

  #isFresh({ order, orderedAtMs }: Entry): boolean {
    if (this.#monotonicMs() - orderedAtMs < STALE_MS) return true;
    this.#tasks.delete(order.taskId);
    this.#tellFull();
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
      if (!signal.aborted) this.#tellOdd(error);
      return LOST_MS;
    }
  }

  #tellFull(): void {
    if (!this.#isDue("full")) return;
    this.#log.warning("The panel orders more probes than can be run; some are dropped");
  }

  #tellOdd(error: unknown): void {
    if (!this.#isDue("odd")) return;
    this.#log.warning("{error}; its result is -1", { error: describeError(error) });
  }

  /** Whether such a line may be written again, which is then taken for done. */
  #isDue(line: "full" | "odd"): boolean {
    const nowMs = this.#monotonicMs();
    const isDue = nowMs - this.#toldAtMs[line] >= TELL_EVERY_MS;
    if (isDue) this.#toldAtMs[line] = nowMs;
    return isDue;
  }
}
