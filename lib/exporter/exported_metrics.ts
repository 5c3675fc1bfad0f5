/**
 * The metrics of `--metrics` from values that were measured for reports. Load, memory,
 * interfaces and boot time have the names of node_exporter.
 *
 * @module
 */

import type { Gpu, MachineFacts, Report, Snapshot, TrafficBytes } from "../types.ts";
import { counter, gauge, info, type MetricFamily, one } from "./openmetrics.ts";

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
