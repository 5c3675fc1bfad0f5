import { BinaryHeap } from "@std/data-structures/binary-heap";
import { BoundedQueue } from "../async/bounded_queue.ts";
import { describeError, getLogger } from "../log/log.ts";
import { LogRateLimit } from "../log/rate_limit.ts";
import { parseProbe, type ProbePart, type ProbeTarget } from "../parse/probe_target.ts";
import type { Probe, ProbeResult, ProbeTask } from "../types.ts";
import { LOST_MS, type Prober } from "./prober.ts";

/** A probe that is repeated, or ordered once. */
interface Entry {
  readonly task: Probe;
  /** -1 is the result of a part without targets. */
  readonly parts: readonly ProbePart[];
  /** The part that is measured next, by its number. */
  part: number;
  /** Its targets that are left to try; absent before the first one. */
  left?: readonly ProbeTarget[] | undefined;
  /** Of a probe that is repeated. */
  readonly intervalMs?: number;
  dueMs: number;
  /** Whether it waits for its turn or runs. */
  isBusy: boolean;
  /** Aborts when it is wanted no more. */
  readonly controller: AbortController;
}

/** Probes that run at a time. */
const CONCURRENCY = 16;
/**
 * Probes that may start in {@linkcode PERIOD_MS}: a list of thousands must not become a flood, of others'
 * servers and of this machine's table of connections.
 */
const STARTS_PER_PERIOD = 16;
const PERIOD_MS = 400;
const CAPACITY = 1000;

/** The first probe of a task comes within its interval, but not later than this. */
const FIRST_WITHIN_MS = 60_000;

/** Probes that are due within so short a time share a timer. */
const MIN_TIMER_MS = 10;

/** The longest time that a timer can be set to. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** An order that has waited for longer is dropped: the panel dates a result by its arrival. */
const STALE_MS = 10_000;

/**
 * Runs a panel's probes, each at its own interval or once as it is ordered, a bounded number at a time.
 *
 * One timer serves all tasks. A probe that is still running when it is due again is not started a
 * second time.
 */
export class ProbeSchedule {
  readonly #prober: Prober;
  readonly #onResult: (result: ProbeResult) => void;
  readonly #log = getLogger("probe");
  readonly #tasks = new Map<number, Entry>();
  readonly #due = new BinaryHeap<Entry>((a, b) => a.dueMs - b.dueMs);
  readonly #orders = new Map<number, Entry>();
  readonly #queue = new BoundedQueue<Entry>({
    run: (entry) => this.#run(entry),
    isWanted: (entry) => this.#isWanted(entry),
    concurrency: CONCURRENCY,
    capacity: CAPACITY,
    startRate: { starts: STARTS_PER_PERIOD, periodMs: PERIOD_MS },
  });
  readonly #answering = new AnsweringTargets();
  readonly #missedLog = LogRateLimit.once();
  readonly #droppedLog = new LogRateLimit();
  readonly #targetLog = new LogRateLimit();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #stopped = false;

  /** @param onResult Sends a result soon. */
  constructor(prober: Prober, onResult: (result: ProbeResult) => void) {
    this.#prober = prober;
    this.#onResult = onResult;
  }

  /** Sets the tasks: unchanged ones go on, all others are stopped or started. */
  update(tasks: readonly ProbeTask[]): void {
    if (this.#stopped) return;
    const wanted = new Map(tasks.map((task) => [task.id, task]));
    for (const [id, entry] of this.#tasks) {
      const task = wanted.get(id);
      if (task !== undefined && isSame(task, entry)) {
        wanted.delete(id);
      } else {
        this.#tasks.delete(id);
        entry.controller.abort();
      }
    }
    const refusals: string[] = [];
    for (const task of wanted.values()) {
      const intervalMs = intervalOf(task);
      const dueMs = performance.now() + Math.random() * Math.min(intervalMs, FIRST_WITHIN_MS);
      this.#tasks.set(task.id, { ...newEntry(task, refusals), intervalMs, dueMs });
    }
    const [refusal] = refusals;
    if (refusal !== undefined) {
      const more = refusals.length > 1 ? ` (and ${refusals.length - 1} more)` : "";
      this.#log.warning("{refusal}{more}; its result is -1", { refusal, more });
    }
    this.#due.clear();
    this.#due.push(...this.#tasks.values());
    this.#arm();
  }

  /** Runs a probe soon, unless it is ordered already or too many wait. */
  runOnce(probe: Probe): void {
    if (this.#stopped || this.#orders.has(probe.id)) return;
    const refusals: string[] = [];
    const entry = newEntry(probe, refusals);
    for (const refusal of refusals) {
      this.#targetLog.write((more) =>
        this.#log.warning("{refusal}; its result is -1{more}", { refusal, more })
      );
    }
    this.#orders.set(probe.id, entry);
    this.#add(entry);
  }

  /** Aborts all probes; no result comes after it. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    for (const { controller } of this.#tasks.values()) controller.abort();
    for (const { controller } of this.#orders.values()) controller.abort();
    this.#queue.clear();
  }

  #arm(): void {
    clearTimeout(this.#timer);
    const next = this.#due.peek();
    if (next === undefined) return;
    const delayMs = Math.max(MIN_TIMER_MS, next.dueMs - performance.now());
    this.#timer = setTimeout(() => this.#wake(), Math.min(delayMs, MAX_TIMER_MS));
  }

  #wake(): void {
    const nowMs = performance.now();
    for (let entry = this.#due.peek(); entry && entry.dueMs <= nowMs; entry = this.#due.peek()) {
      this.#due.pop();
      const { intervalMs = 0 } = entry;
      // Probes that were missed, as in a suspended machine, are not made up for.
      entry.dueMs += intervalMs * (Math.floor((nowMs - entry.dueMs) / intervalMs) + 1);
      this.#due.push(entry);
      if (!entry.isBusy) this.#enqueue(entry);
    }
    this.#arm();
  }

  #enqueue(entry: Entry): void {
    Object.assign(entry, { isBusy: true, part: 0, left: undefined });
    this.#add(entry);
  }

  #add(entry: Entry): void {
    if (this.#queue.add(entry)) return;
    if (entry.intervalMs === undefined) return this.#dropOrder(entry);
    entry.isBusy = false;
    this.#missedLog.write(() => this.#log.warning("Too many probes are due; some are skipped"));
  }

  #isWanted(entry: Entry): boolean {
    const isStale = entry.intervalMs === undefined && performance.now() - entry.dueMs >= STALE_MS;
    if (isStale) this.#dropOrder(entry);
    return !isStale && !entry.controller.signal.aborted;
  }

  #dropOrder({ task }: Entry): void {
    this.#orders.delete(task.id);
    this.#droppedLog.write((more) =>
      this.#log.warning("The panel orders more probes than can be run; some are dropped{more}", {
        more,
      })
    );
  }

  /** Measures one target: each takes a turn of its own, so that the limits hold for all. */
  async #run(entry: Entry): Promise<void> {
    const { parts, controller: { signal } } = entry;
    const part = parts[entry.part];
    if (part === undefined) return;
    const [target, ...left] = entry.left ?? this.#answering.toTry(part.targets);
    let valueMs: number | undefined = LOST_MS;
    try {
      if (target !== undefined) valueMs = await this.#prober.probe(target, { signal });
    } catch (error) {
      if (!signal.aborted) {
        this.#log.error("Cannot run a probe: {error}", { error: describeError(error) });
      }
    }
    if (signal.aborted) return;
    const triesNext = valueMs === LOST_MS && left.length > 0;
    entry.left = triesNext ? left : undefined;
    if (!triesNext) entry.part++;
    const isOver = entry.part >= parts.length;
    if (isOver) {
      entry.isBusy = false;
      if (entry.intervalMs === undefined) this.#orders.delete(entry.task.id);
    }
    if (!triesNext) this.#give(entry.task, part, { target, valueMs });
    if (isOver) return;
    if (entry.intervalMs === undefined) entry.dueMs = performance.now();
    this.#add(entry);
  }

  /** Gives the result of a part, whose last target was measured; `undefined` when it was not. */
  #give(
    { id: taskId }: Probe,
    part: ProbePart,
    { target, valueMs }: { target: ProbeTarget | undefined; valueMs: number | undefined },
  ): void {
    if (valueMs === undefined) return;
    if (target !== undefined && valueMs >= 0) this.#answering.add(part.targets, target);
    // Where none of several has answered, the best one is named.
    const [best = part] = this.#answering.toTry(part.targets);
    const { kind } = valueMs >= 0 && target !== undefined ? target : best;
    const isReference = part.isReference && { isReference: true as const };
    try {
      this.#onResult({ taskId, kind, valueMs, finishedAt: new Date(), ...isReference });
    } catch (error) {
      this.#log.error("Cannot deliver a probe's result: {error}", { error: describeError(error) });
    }
  }
}

/** Makes an entry that is due now, and adds to `refusals` why it lacks targets. */
function newEntry(task: Probe, refusals: string[]): Entry {
  const parts = parseProbe(task);
  refusals.push(...new Set(parts.flatMap(({ refusal }) => refusal ?? [])));
  const controller = new AbortController();
  return { task, parts, part: 0, dueMs: performance.now(), isBusy: false, controller };
}

function isSame(a: ProbeTask, { task: b, intervalMs }: Entry): boolean {
  return a.kind === b.kind && a.target === b.target && a.reference === b.reference &&
    intervalOf(a) === intervalMs;
}

/** Interval of a task in milliseconds; a second at least, whatever the panel says. */
function intervalOf(task: ProbeTask): number {
  return Math.max(1, task.intervalSeconds) * 1000;
}

/** Time after which all targets are tried again, the best one first. */
const KNOWN_MS = 10 * 60_000;
/** Choices that are remembered. */
const MAX_KNOWN = 1000;

/** Remembers which one of several targets has answered: the others are not tried for a while. */
export class AnsweringTargets {
  readonly #known = new Map<string, { target: ProbeTarget; untilMs: number }>();

  /** The targets to try in turn. */
  toTry(targets: readonly ProbeTarget[]): readonly ProbeTarget[] {
    const known = this.#known.get(keyOf(targets));
    return known === undefined || known.untilMs <= performance.now() ? targets : [known.target];
  }

  /** One of several targets has answered. */
  add(targets: readonly ProbeTarget[], target: ProbeTarget): void {
    if (targets.length < 2 || this.toTry(targets).length < 2) return;
    const key = keyOf(targets);
    this.#known.delete(key);
    this.#known.set(key, { target, untilMs: performance.now() + KNOWN_MS });
    const [oldest] = this.#known.keys();
    if (this.#known.size > MAX_KNOWN && oldest !== undefined) this.#known.delete(oldest);
  }
}

function keyOf(targets: readonly ProbeTarget[]): string {
  return targets.length < 2 ? "" : JSON.stringify(targets);
}
