/**
 * The metrics of `--metrics` from values that were measured for reports. Load, memory,
 * interfaces and boot time have the names of node_exporter.
 *
 * @module
 */

import { parseProbe, type ProbeTarget } from "../parse/probe_target.ts";
import type {
  Gpu,
  MachineFacts,
  Probe,
  ProbeResult,
  ProbeTask,
  ProbeType,
  Report,
  Snapshot,
  TrafficBytes,
} from "../types.ts";
import {
  counter,
  gauge,
  info,
  type Labels,
  type MetricFamily,
  one,
  type Sample,
} from "./openmetrics.ts";

/** The machine's part of the metrics. */
export interface ExportedMachine {
  readonly snapshot: Snapshot;
  /** Time of the snapshot, in milliseconds since 1970. */
  readonly atMs: number;
  readonly facts: MachineFacts;
  /** The rates of the last report to each panel, by its name. */
  readonly rates: ReadonlyMap<string, Pick<Report, "cpuPercent" | "speeds">>;
  /** Counters of the interfaces that count. */
  readonly interfaces: ReadonlyMap<string, TrafficBytes>;
}

/** Metrics of the machine. */
export function machineMetrics(machine: ExportedMachine): MetricFamily[] {
  const { snapshot, atMs, facts, interfaces, rates } = machine;
  const { memory, swap, disk, load, traffic, connections, uptimeSeconds } = snapshot;
  const devices = (bytes: (counters: TrafficBytes) => number) =>
    [...interfaces].map(([device, counters]) => one(bytes(counters), { device }));
  const gpus = (name: string, what: string, value: (gpu: Gpu) => number | undefined) =>
    gauge(
      `komari_gpu_${name}`,
      `${what} of a graphics card.`,
      (snapshot.gpus ?? []).map((gpu, index) =>
        one(value(gpu), { gpu: String(index), name: gpu.name })
      ),
    );
  // Two cards of one name fail by one name.
  const unmeasured = [...new Set(snapshot.failures)].map((failure) =>
    one(1, { metric: failure.replace(/^cannot measure /, "") })
  );
  return [
    gauge(
      "komari_cpu_usage_ratio",
      "Busy time of all cores since the previous report to a panel.",
      [...rates].map(([panel, { cpuPercent }]) => one(cpuPercent && cpuPercent / 100, { panel })),
    ),
    gauge("node_load1", "1m load average.", load?.oneMinute),
    gauge("node_load5", "5m load average.", load?.fiveMinutes),
    gauge("node_load15", "15m load average.", load?.fifteenMinutes),
    gauge("node_memory_MemTotal_bytes", "Memory of the machine.", memory?.totalBytes),
    gauge("node_memory_SwapTotal_bytes", "Swap of the machine.", swap?.totalBytes),
    gauge(
      "komari_memory_total_bytes",
      "Memory as reported: the machine's, or the limit.",
      memory?.totalBytes,
    ),
    gauge(
      "komari_memory_used_bytes",
      "Used memory as reported, by the configured mode.",
      memory?.usedBytes,
    ),
    gauge(
      "komari_swap_total_bytes",
      "Swap as reported: the machine's, or the limit.",
      swap?.totalBytes,
    ),
    gauge("komari_swap_used_bytes", "Used swap as reported.", swap?.usedBytes),
    gauge(
      "komari_disk_total_bytes",
      "Size of all counted file systems, each once.",
      disk?.totalBytes,
    ),
    gauge("komari_disk_used_bytes", "Used space of all counted file systems.", disk?.usedBytes),
    counter(
      "node_network_receive_bytes",
      "Network device statistic receive_bytes.",
      devices(({ receivedBytes }) => receivedBytes),
    ),
    counter(
      "node_network_transmit_bytes",
      "Network device statistic transmit_bytes.",
      devices(({ sentBytes }) => sentBytes),
    ),
    gauge("komari_traffic_bytes", "Reported total of traffic: since boot, or of the month.", [
      one(traffic?.receivedBytes, { direction: "receive" }),
      one(traffic?.sentBytes, { direction: "transmit" }),
    ]),
    gauge(
      "komari_network_bytes_per_second",
      "Network speed since the previous report to a panel.",
      [...rates].flatMap(([panel, { speeds }]) => [
        one(speeds?.receivedBytesPerSecond, { direction: "receive", panel }),
        one(speeds?.sentBytesPerSecond, { direction: "transmit", panel }),
      ]),
    ),
    gauge("komari_connections", "Sockets of both IP versions, all but half-open ones.", [
      one(connections?.tcp, { protocol: "tcp" }),
      one(connections?.udp, { protocol: "udp" }),
    ]),
    gauge("node_processes_pids", "Number of PIDs.", snapshot.processes),
    gauge(
      "node_boot_time_seconds",
      "Node boot time, in unixtime.",
      uptimeSeconds === undefined ? undefined : Math.round(atMs / 1000 - uptimeSeconds),
    ),
    gpus("usage_ratio", "Utilization", ({ usePercent }) => usePercent && usePercent / 100),
    gpus("memory_total_bytes", "Memory", ({ memory }) => memory?.totalBytes),
    gpus("memory_used_bytes", "Used memory", ({ memory }) => memory?.usedBytes),
    gpus("temperature_celsius", "Temperature", ({ temperatureCelsius }) => temperatureCelsius),
    gauge(
      "komari_unmeasured",
      "1 for each metric that the last report could not measure.",
      unmeasured,
    ),
    gauge(
      "komari_measured_timestamp_seconds",
      "Time of these measurements, in unixtime.",
      atMs / 1000,
    ),
    info("komari_machine", "Facts about the machine.", {
      arch: facts.arch,
      cpu: facts.cpuName,
      os: facts.osName,
      kernel: facts.kernelVersion,
      virtualization: facts.virtualization,
    }),
  ];
}

/** Upper bounds of the buckets, in seconds; a probe is lost after 3 s. */
const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.5] as const;

/** Number of probes that are kept; the panel's tasks alone are bounded too. */
const MAX_PROBES = 1_000;

interface ProbeSeries {
  readonly labels: Labels;
  /** Runs by bucket, the last one without an upper bound. */
  readonly counts: number[];
  sumSeconds: number;
  lost: number;
}

/** A probe, with a series for each of its parts. */
interface ExportedProbe {
  readonly probe: Probe;
  readonly panel: string;
  readonly parts: { kind: ProbeType; isReference: boolean; series: ProbeSeries }[];
  isScheduled: boolean;
}

/** Collects the results of probes as histograms; a panel is named by its host and path. */
export class ProbeHistograms {
  readonly #probes = new Map<string, ExportedProbe>();

  /** Makes a panel's scheduled probes known, and forgets those that are scheduled no more. */
  schedule(panel: string, tasks: readonly ProbeTask[]): void {
    const scheduled = new Set(tasks.map(({ id }) => keyOf(panel, id)));
    for (const [key, known] of this.#probes) {
      if (known.isScheduled && known.panel === panel && !scheduled.has(key)) {
        this.#probes.delete(key);
      }
    }
    for (const task of tasks) this.define(panel, task, { isScheduled: true });
  }

  /** Makes a probe known by its target; one with another type or target starts at 0. */
  define(panel: string, probe: Probe, { isScheduled = false } = {}): void {
    const key = keyOf(panel, probe.id);
    const known = this.#probes.get(key);
    if (known !== undefined && isSame(known.probe, probe)) {
      known.isScheduled ||= isScheduled;
      return;
    }
    this.#probes.delete(key);
    this.#probes.set(key, { probe, panel, parts: partsOf(panel, probe), isScheduled });
    const [oldest] = this.#probes.keys();
    if (this.#probes.size > MAX_PROBES && oldest !== undefined) this.#probes.delete(oldest);
  }

  /** Adds a result; that of an unknown probe is ignored. */
  observe(panel: string, result: ProbeResult): void {
    const { taskId, valueMs, isReference = false } = result;
    const series = this.#probes.get(keyOf(panel, taskId))?.parts.find((part) =>
      part.isReference === isReference && (part.kind === "auto" || part.kind === result.kind)
    )?.series;
    if (series === undefined) return;
    if (valueMs < 0) {
      series.lost++;
      return;
    }
    const seconds = valueMs / 1000;
    const bucket = BUCKETS.findIndex((bound) => seconds <= bound);
    const index = bucket === -1 ? BUCKETS.length : bucket;
    series.counts[index] = (series.counts[index] ?? 0) + 1;
    series.sumSeconds += seconds;
  }

  /** The histograms, and the number of lost probes. */
  families(): MetricFamily[] {
    const series = [...this.#probes.values()].flatMap(({ parts }) =>
      parts.map(({ series }) => series)
    );
    return [
      {
        name: "komari_probe_duration_seconds",
        type: "histogram",
        help: "Duration of probes that were not lost.",
        samples: series.flatMap(histogramSamples),
      },
      counter(
        "komari_probe_lost",
        "Probes without an answer.",
        series.map(({ labels, lost }) => ({ labels, value: lost })),
      ),
    ];
  }
}

function histogramSamples({ labels, counts, sumSeconds }: ProbeSeries): Sample[] {
  let count = 0;
  const buckets = counts.map((runs, index): Sample => {
    count += runs;
    const le = String(BUCKETS[index] ?? "+Inf");
    return { suffix: "_bucket", labels: { ...labels, le }, value: count };
  });
  return [
    ...buckets,
    { suffix: "_sum", labels, value: sumSeconds },
    { suffix: "_count", labels, value: count },
  ];
}

function keyOf(panel: string, taskId: number): string {
  return `${taskId} ${panel}`;
}

function partsOf(panel: string, probe: Probe): ExportedProbe["parts"] {
  const { id, kind } = probe;
  return parseProbe(probe).map((part) => {
    const { isReference } = part;
    // Which kind `auto` is may change.
    const shown = kind === "auto" && !isReference ? kind : part.kind;
    const target = targetLabel(part.targets[0]);
    const role = isReference ? { role: "reference" } : {};
    const labels = { panel, task: String(id), kind: shown, target, ...role };
    const counts = Array<number>(BUCKETS.length + 1).fill(0);
    return { kind: shown, isReference, series: { labels, counts, sumSeconds: 0, lost: 0 } };
  });
}

function isSame(a: Probe, b: Probe): boolean {
  return a.kind === b.kind && a.target === b.target && a.reference === b.reference;
}

/** A target without user, query and fragment, which may hold secrets. */
function targetLabel(target: ProbeTarget | undefined): string {
  if (target === undefined) return "invalid";
  if (target.kind === "http") return target.url.origin + target.url.pathname;
  return target.kind === "icmp" ? target.host : `${bracketed(target.host)}:${target.port}`;
}

function bracketed(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}
