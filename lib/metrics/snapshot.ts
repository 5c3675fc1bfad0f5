/**
 * All collectors together: one look at the machine.
 *
 * @module
 */

import type { Connections, Gpu, LoadAverage, Snapshot, Traffic, Usage } from "../types.ts";

/** Something that is measured anew at every report; `undefined` means "no data". */
export interface Collector<T> {
  /** @throws {Error} When the source is there but can't be read. */
  collect(): T | undefined;
  /** What stands in for the value when the collector has failed. */
  lastKnown?(): T | undefined;
}

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
  /** Only where details of graphics cards were asked for; each in words fit for the public. */
  readonly gpus?: readonly {
    readonly subject: string;
    readonly collector: Collector<readonly Gpu[]>;
  }[];
}

/** A collector that failed: in whose words, and why. */
export interface CollectorFailure {
  /** What was to be measured, in words fit for the public. */
  readonly subject: string;
  readonly error: unknown;
}

/**
 * Measures everything once. A collector that fails is named in `failures`, and its value is what it
 * recalls, or absent; the others go on.
 */
export function takeSnapshot(
  collectors: Collectors,
  onFailure: (failure: CollectorFailure) => void = () => {},
): Snapshot {
  const failures: string[] = [];

  function measure<T>(subject: string, collector: Collector<T>): T | undefined {
    try {
      return collector.collect();
    } catch (error) {
      failures.push(`cannot measure ${subject}`);
      onFailure({ subject, error });
      return collector.lastKnown?.();
    }
  }

  const snapshot: Snapshot = { failures };
  const cpuPercent = measure("CPU use", collectors.cpu);
  if (cpuPercent !== undefined) snapshot.cpuPercent = cpuPercent;
  const memory = measure("memory", collectors.memory);
  if (memory?.memory !== undefined) snapshot.memory = memory.memory;
  if (memory?.swap !== undefined) snapshot.swap = memory.swap;
  const disk = measure("disk space", collectors.disk);
  if (disk !== undefined) snapshot.disk = disk;
  const load = measure("load", collectors.load);
  if (load !== undefined) snapshot.load = load;
  const traffic = measure("network traffic", collectors.traffic);
  if (traffic !== undefined) snapshot.traffic = traffic;
  const connections = measure("connections", collectors.connections);
  if (connections !== undefined) snapshot.connections = connections;
  const uptimeSeconds = measure("uptime", collectors.uptime);
  if (uptimeSeconds !== undefined) snapshot.uptimeSeconds = uptimeSeconds;
  const processes = measure("process count", collectors.processes);
  if (processes !== undefined) snapshot.processes = processes;
  if (collectors.gpus !== undefined) {
    snapshot.gpus = collectors.gpus.flatMap(({ subject, collector }) =>
      measure(subject, collector) ?? []
    );
  }
  return snapshot;
}
