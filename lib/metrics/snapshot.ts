/**
 * All collectors together: one sample of the machine, which is the content of a report.
 *
 * @module
 */

import { describeError, getLogger } from "../log/log.ts";
import type { Connections, Gpu, LoadAverage, Snapshot, Traffic, Usage } from "../types.ts";
import { type Collector, LastKnown, PacedCollector } from "./collector.ts";

/** The collectors of a machine. */
export interface Collectors {
  readonly cpu: Collector<number>;
  readonly memory: Collector<{ memory?: Usage; swap?: Usage }>;
  readonly disk: Collector<Usage>;
  readonly load: Collector<LoadAverage>;
  readonly traffic: Collector<Traffic>;
  readonly connections: Collector<Connections>;
  readonly uptime: Collector<number>;
  readonly processes: Collector<number>;
  /** Only with `--gpu`; `subject` goes into the report's message. */
  readonly gpus?: readonly {
    readonly subject: string;
    readonly collector: Collector<readonly Gpu[]>;
  }[];
}

/** A collector that failed, and why. */
export interface CollectorFailure {
  /** Name of the metric as in the report's message. */
  readonly subject: string;
  readonly error: unknown;
}

/**
 * Measures everything once. A collector that fails is named in `failures` and its last known value,
 * if any, is used; the others are not affected.
 */
export function takeSnapshot(
  collectors: Collectors,
  onFailure: (failure: CollectorFailure) => void = () => {},
): Snapshot {
  const failures: string[] = [];

  function fail(subject: string, error: unknown): void {
    failures.push(`cannot measure ${subject}`);
    onFailure({ subject, error });
  }

  function measure<T>(subject: string, collector: Collector<T>): T | undefined {
    try {
      const value = collector.collect();
      const missing = collector.missingPart?.();
      if (missing !== undefined) fail(`part of ${subject}`, missing);
      return value;
    } catch (error) {
      fail(subject, error);
      return collector.lastKnown?.();
    }
  }

  const cpuPercent = measure("CPU use", collectors.cpu);
  const memory = measure("memory", collectors.memory);
  return {
    cpuPercent,
    memory: memory?.memory,
    swap: memory?.swap,
    disk: measure("disk space", collectors.disk),
    load: measure("load", collectors.load),
    traffic: measure("network traffic", collectors.traffic),
    connections: measure("connections", collectors.connections),
    uptimeSeconds: measure("uptime", collectors.uptime),
    processes: measure("process count", collectors.processes),
    gpus: collectors.gpus?.flatMap(({ subject, collector }) => measure(subject, collector) ?? []),
    failures,
  };
}

/** The kernel itself computes the load every 5 s. */
const LOAD_MS = 2_500;
/** Disk space as old as this is reported again, at most 5 s if reports come each second. */
const DISK_MS = 4_500;

/**
 * Takes snapshots for reports: bridges failures with values of the last minute, and logs a failure
 * when it starts, when its reason changes and when it ends.
 */
export class Sampler {
  readonly #collectors: Collectors;
  readonly #log = getLogger("agent");
  #failing = new Map<string, string>();

  constructor(collectors: Collectors) {
    const lasting = <T>(collector: Collector<T>): LastKnown<T> => new LastKnown(collector);
    this.#collectors = {
      cpu: lasting(collectors.cpu),
      memory: lasting(collectors.memory),
      disk: lasting(new PacedCollector(collectors.disk, DISK_MS)),
      load: lasting(new PacedCollector(collectors.load, LOAD_MS)),
      traffic: lasting(collectors.traffic),
      connections: lasting(collectors.connections),
      uptime: lasting(collectors.uptime),
      processes: lasting(collectors.processes),
      gpus: collectors.gpus?.map(({ subject, collector }) => {
        return { subject, collector: lasting(collector) };
      }),
    };
  }

  /** Measures everything once. */
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
      if (!failing.has(subject)) this.#log.info("Measuring {subject} works again", { subject });
    }
    this.#failing = failing;
  }
}

/** A first snapshot that is older than this is taken again. */
const FIRST_SNAPSHOT_MAX_AGE_MS = 1_000;

/**
 * Takes the first snapshot now, and gives it when it is asked for soon: a second one right behind it
 * would measure speeds over a few milliseconds. Later ones are given again up to `maxAgeMs`, so that
 * several panels cost one look at the machine.
 */
export function shareSnapshots(
  sample: () => Snapshot,
  maxAgeMs: number,
): () => Snapshot {
  let latest = sample();
  let takenAtMs = performance.now();
  let isFirst = true;
  return () => {
    const limitMs = isFirst ? Math.max(FIRST_SNAPSHOT_MAX_AGE_MS, maxAgeMs) : maxAgeMs;
    isFirst = false;
    if (performance.now() - takenAtMs < limitMs) return latest;
    latest = sample();
    takenAtMs = performance.now();
    return latest;
  };
}
