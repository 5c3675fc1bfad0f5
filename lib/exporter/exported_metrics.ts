/**
 * The metrics of `--metrics` from values that were measured for reports. Load, memory,
 * interfaces and boot time have the names of node_exporter.
 *
 * @module
 */

import { truncate } from "../parse/bounded_text.ts";
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
import { counter, gauge, info, type Labels, type MetricFamily, one } from "./openmetrics.ts";

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
    gauge("komari_memory_total_bytes", "The machine's memory, or its limit.", memory?.totalBytes),
    gauge("komari_memory_used_bytes", "Used memory, by --memory-mode.", memory?.usedBytes),
    gauge("komari_swap_total_bytes", "The machine's swap, or its limit.", swap?.totalBytes),
    gauge("komari_swap_used_bytes", "Used swap.", swap?.usedBytes),
    gauge("komari_disk_total_bytes", "Size of all counted file systems.", disk?.totalBytes),
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

/** Number of a panel's probes that are kept; its tasks alone are bounded too. */
const MAX_PROBES = 1_000;

interface ProbeSeries {
  readonly kind: ProbeType;
  readonly isReference: boolean;
  readonly labels: Labels;
  /** Duration of the last run; `undefined` where it was lost, or there was none. */
  lastSeconds?: number | undefined;
  lost: number;
}

/** A probe, with a series for each of its parts. */
interface ExportedProbe {
  readonly probe: Probe;
  readonly panel: string;
  readonly parts: readonly ProbeSeries[];
  isScheduled: boolean;
}

/** The last results of probes; a panel is named by its host and path. */
export class ProbeMetrics {
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
    if (this.#probes.size <= MAX_PROBES) return;
    const own = [...this.#probes].filter(([, it]) => it.panel === panel);
    const [oldest] = own.length > MAX_PROBES ? own : [];
    if (oldest !== undefined) this.#probes.delete(oldest[0]);
  }

  /** Records a result; that of an unknown probe is ignored. */
  observe(panel: string, result: ProbeResult): void {
    const { taskId, kind, valueMs, isReference = false } = result;
    const series = this.#probes.get(keyOf(panel, taskId))?.parts.find((part) =>
      part.isReference === isReference && (part.kind === "auto" || part.kind === kind)
    );
    if (series === undefined) return;
    series.lastSeconds = valueMs < 0 ? undefined : valueMs / 1000;
    if (valueMs < 0) series.lost++;
  }

  /** The last durations, and the numbers of lost probes. */
  families(): MetricFamily[] {
    const series = [...this.#probes.values()].flatMap(({ parts }) => parts);
    return [
      gauge(
        "komari_probe_duration_seconds",
        "Duration of the last run of a probe, if it was not lost.",
        series.map(({ labels, lastSeconds }) => one(lastSeconds, labels)),
      ),
      counter(
        "komari_probe_lost",
        "Probes without an answer.",
        series.map(({ labels, lost }) => one(lost, labels)),
      ),
    ];
  }
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
    return { kind: shown, isReference, labels, lost: 0 };
  });
}

function isSame(a: Probe, b: Probe): boolean {
  return a.kind === b.kind && a.target === b.target && a.reference === b.reference;
}

/** Each sample has the label again, and one panel's targets may take 2 KB each. */
const MAX_LABEL_LENGTH = 200;

/** A target without user, query and fragment, which may hold secrets. */
function targetLabel(target: ProbeTarget | undefined): string {
  if (target === undefined) return "invalid";
  if (target.kind === "http") {
    return truncate(target.url.origin + target.url.pathname, MAX_LABEL_LENGTH);
  }
  return target.kind === "icmp" ? target.host : `${bracketed(target.host)}:${target.port}`;
}

function bracketed(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}
