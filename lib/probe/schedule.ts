import { BinaryHeap } from "@std/data-structures/binary-heap";
import type { BoundedQueue } from "../bounded_queue.ts";
import { describeError, getLogger } from "../log/log.ts";
import { LogRateLimit } from "../log/rate_limit.ts";
import { parseProbeTarget, type ProbeTarget } from "../parse/probe_target.ts";
import type { ProbeResult, ProbeTask } from "../types.ts";
import { LOST_MS } from "./prober.ts";
import { createRunQueue } from "./run_queue.ts";

/** Settings of a schedule; all but the first two are for tests. */
export interface ProbeScheduleOptions {
  /** Runs a probe: whole milliseconds, or -1; rejects only when the signal aborts. */
  probe(target: ProbeTarget, options: { signal: AbortSignal }): Promise<number>;
  onResult(result: ProbeResult): void;
  timers?: Pick<typeof globalThis, "setTimeout" | "clearTimeout">;
  /** Milliseconds on a clock that only runs forward. */
  monotonicMs?: () => number;
  /** The date of a result. */
  wallClock?: () => Date;
  /** 0 to below 1. */
  random?: () => number;
}

interface Entry {
  readonly task: ProbeTask;
  /** Absent when the panel's text is no target: the result is -1 then. */
  readonly target: ProbeTarget | undefined;
  dueMs: number;
  state: "idle" | "queued" | "running" | "gone";
  /** Aborts the probe that is running. */
  controller?: AbortController;
}

/** The first probe of a task comes within its interval, but not later than this. */
const FIRST_WITHIN_MS = 60_000;

/** Probes that are due within so short a time share a timer. */
const MIN_TIMER_MS = 10;

/** The longest time that a timer can be set to. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * Repeats probes, each at its own interval, a bounded number at a time.
 *
 * One timer serves all tasks. A probe that is still running when it is due again is not started a
 * second time.
 */
export class ProbeSchedule {
  readonly #options: ProbeScheduleOptions;
  readonly #timers: Pick<typeof globalThis, "setTimeout" | "clearTimeout">;
  readonly #monotonicMs: () => number;
  readonly #log = getLogger("probe");
  readonly #entries = new Map<number, Entry>();
  readonly #due = new BinaryHeap<Entry>((a, b) => a.dueMs - b.dueMs);
  readonly #queue: BoundedQueue<Entry>;
  readonly #dropLog = new LogRateLimit({ lines: 1, periodMs: Infinity });
  #timer: ReturnType<typeof setTimeout> | undefined;
  #stopped = false;

  constructor(options: ProbeScheduleOptions) {
    this.#options = options;
    this.#timers = options.timers ?? globalThis;
    this.#monotonicMs = options.monotonicMs ?? (() => performance.now());
    this.#queue = createRunQueue({
      run: (entry) => this.#run(entry),
      isWanted: (entry) => entry.state !== "gone",
      timers: this.#timers,
      monotonicMs: this.#monotonicMs,
    });
  }

  /** Sets the tasks: unchanged ones go on, all others are stopped or started. */
  update(tasks: readonly ProbeTask[]): void {
    if (this.#stopped) return;
    const wanted = new Map(tasks.map((task) => [task.id, task]));
    for (const [id, entry] of this.#entries) {
      const task = wanted.get(id);
      if (task !== undefined && isSame(task, entry.task)) wanted.delete(id);
      else this.#drop(entry);
    }
    const refused: string[] = [];
    for (const task of wanted.values()) this.#add(task, refused);
    if (refused.length > 0) {
      const more = refused.length > 1 ? ` (and ${refused.length - 1} more)` : "";
      this.#log.warning("{refusal}{more}; its result is -1", { refusal: refused[0], more });
    }
    this.#due.clear();
    this.#due.push(...this.#entries.values());
    this.#queue.prune();
    this.#arm();
  }

  /** Aborts all probes; no result comes after it. */
  stop(): void {
    this.#stopped = true;
    this.#timers.clearTimeout(this.#timer);
    for (const entry of this.#entries.values()) this.#drop(entry);
    this.#due.clear();
    this.#queue.clear();
  }

  #add(task: ProbeTask, refused: string[]): void {
    let target: ProbeTarget | undefined;
    try {
      target = parseProbeTarget(task.kind, task.target);
    } catch (error) {
      refused.push(describeError(error));
    }
    const { random = Math.random } = this.#options;
    const offsetMs = random() * Math.min(intervalMs(task), FIRST_WITHIN_MS);
    this.#entries.set(task.id, {
      task,
      target,
      dueMs: this.#monotonicMs() + offsetMs,
      state: "idle",
    });
  }

  #drop(entry: Entry): void {
    this.#entries.delete(entry.task.id);
    entry.state = "gone";
    entry.controller?.abort();
  }

  #arm(): void {
    this.#timers.clearTimeout(this.#timer);
    const next = this.#due.peek();
    if (next === undefined) return;
    const delayMs = Math.max(MIN_TIMER_MS, next.dueMs - this.#monotonicMs());
    this.#timer = this.#timers.setTimeout(() => this.#wake(), Math.min(delayMs, MAX_TIMER_MS));
  }

  #wake(): void {
    const nowMs = this.#monotonicMs();
    for (let entry = this.#due.peek(); entry && entry.dueMs <= nowMs; entry = this.#due.peek()) {
      this.#due.pop();
      const everyMs = intervalMs(entry.task);
      // Probes that were missed, as in a suspended machine, are not made up for.
      entry.dueMs += everyMs * (Math.floor((nowMs - entry.dueMs) / everyMs) + 1);
      this.#due.push(entry);
      if (entry.state === "idle") this.#enqueue(entry);
    }
    this.#arm();
  }

  #enqueue(entry: Entry): void {
    entry.state = "queued";
    if (this.#queue.add(entry)) return;
    entry.state = "idle";
    if (this.#dropLog.allows()) {
      this.#log.warning("Too many probes are due; some miss their turn");
    }
  }

  async #run(entry: Entry): Promise<void> {
    const controller = new AbortController();
    const { signal } = controller;
    entry.state = "running";
    entry.controller = controller;
    let valueMs = LOST_MS;
    try {
      valueMs = await (entry.target ? this.#options.probe(entry.target, { signal }) : LOST_MS);
    } catch (error) {
      if (!signal.aborted) this.#log.error("{error}", { error: describeError(error) });
    }
    if (signal.aborted) return;
    entry.state = "idle";
    delete entry.controller;
    this.#deliver(entry, valueMs);
  }

  #deliver({ task }: Entry, valueMs: number): void {
    const finishedAt = this.#options.wallClock?.() ?? new Date();
    try {
      this.#options.onResult({ taskId: task.id, kind: task.kind, valueMs, finishedAt });
    } catch (error) {
      this.#log.error("Cannot deliver a probe's result: {error}", { error: describeError(error) });
    }
  }
}

function isSame(a: ProbeTask, b: ProbeTask): boolean {
  return a.kind === b.kind && a.target === b.target && a.intervalSeconds === b.intervalSeconds;
}

/** Interval of a task; a second at least, whatever the panel says. */
function intervalMs(task: ProbeTask): number {
  return Math.max(1, task.intervalSeconds) * 1000;
}
