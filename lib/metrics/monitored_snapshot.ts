import { describeError, getLogger } from "../log/log.ts";
import type { Snapshot } from "../types.ts";
import { type Collector, type Collectors, takeSnapshot } from "./snapshot.ts";

/** How long a value may stand in for one that can't be measured, in milliseconds. */
const MAX_AGE_MS = 60_000;

/** A collector whose last value can stand in for a while when it fails. */
export class LastKnown<T> {
  readonly #collector: { collect(): T | undefined };
  readonly #monotonicMs: () => number;
  #last: { value: T | undefined; atMs: number } | undefined;

  constructor(
    collector: { collect(): T | undefined },
    options: { monotonicMs: () => number },
  ) {
    this.#collector = collector;
    this.#monotonicMs = options.monotonicMs;
  }

  /** @throws {Error} What the collector throws. */
  collect(): T | undefined {
    const value = this.#collector.collect();
    this.#last = { value, atMs: this.#monotonicMs() };
    return value;
  }

  /** What it last gave; `undefined` when that is more than a minute ago. */
  lastKnown(): T | undefined {
    if (this.#last === undefined) return undefined;
    if (this.#monotonicMs() - this.#last.atMs > MAX_AGE_MS) this.#last = undefined;
    return this.#last?.value;
  }
}

/** Takes snapshots, bridges short failures, and says once when something can't be measured, and once when it can again. */
export class Sampler {
  readonly #collectors: Collectors;
  readonly #log = getLogger("agent");
  #failing = new Map<string, string>();

  constructor(collectors: Collectors, options: { monotonicMs: () => number }) {
    const lasting = <T>(collector: Collector<T>): LastKnown<T> => new LastKnown(collector, options);
    this.#collectors = {
      ...collectors,
      cpu: lasting(collectors.cpu),
      memory: lasting(collectors.memory),
      disk: lasting(collectors.disk),
      load: lasting(collectors.load),
      traffic: lasting(collectors.traffic),
      connections: lasting(collectors.connections),
      uptime: lasting(collectors.uptime),
      processes: lasting(collectors.processes),
      ...(collectors.gpus && {
        gpus: collectors.gpus.map(({ subject, collector }) => {
          return { subject, collector: lasting(collector) };
        }),
      }),
    };
  }

  /** Measures everything once; what fails is named, and keeps its last value for a minute. */
  sample(): Snapshot {
    const failing = new Map<string, string>();
    const snapshot = takeSnapshot(this.#collectors, ({ subject, error }) => {
      failing.set(subject, describeError(error));
    });
    if (failing.size > 0 || this.#failing.size > 0) this.#logChanges(failing);
    return snapshot;
  }

  #logChanges(failing: Map<string, string>): void {
    for (const [subject, reason] of failing) {
      if (this.#failing.get(subject) === reason) continue;
      this.#log.warning("Cannot measure {subject}: {reason}", { subject, reason });
    }
    for (const subject of this.#failing.keys()) {
      if (!failing.has(subject)) this.#log.info("Measuring {subject} again", { subject });
    }
    this.#failing = failing;
  }
}
