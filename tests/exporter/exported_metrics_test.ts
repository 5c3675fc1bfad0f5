import { assertEquals } from "@std/assert";
import { type ExportedMachine, machineMetrics } from "../../lib/exporter/exported_metrics.ts";
import { formatMetrics, type MetricFamily } from "../../lib/exporter/openmetrics.ts";
import type { Snapshot } from "../../lib/types.ts";

/** The lines of these metrics that have a value. */
function lines(families: readonly MetricFamily[]): string[] {
  return formatMetrics(families).split("\n").filter((line) => /^[^#]/.test(line));
}

Deno.test("formatMetrics() escapes texts, and leaves out families and labels without a value", () => {
  const family = { type: "gauge", help: 'One "thing" \\\n', samples: [] } as const;
  const labels = { path: '/"x"\n\\', none: undefined, half: "\ud800" };
  const text = formatMetrics([
    { ...family, name: "a_bytes", samples: [{ value: 1.5 }, { labels, value: 2 ** 53 }] },
    { ...family, name: "nothing" },
  ]);
  assertEquals(
    text,
    String.raw`# HELP a_bytes One "thing" \\\n
# TYPE a_bytes gauge
a_bytes 1.5
a_bytes{path="/\"x\"\n\\",half="�"} 9007199254740992
`,
  );
});

function linesOf(snapshot: Snapshot, rates: ExportedMachine["rates"] = new Map()): string[] {
  return lines(machineMetrics({
    snapshot,
    atMs: 1_795_616_763_000,
    facts: {
      ...{ arch: "amd64", cpuName: "EPYC", osName: "Debian", kernelVersion: "6.1" },
      ...{ virtualization: "kvm", logicalCores: 4 },
    },
    interfaces: new Map([["eth0", { sentBytes: 5, receivedBytes: 6 }]]),
    rates,
  }));
}

/** Each panel has its own, over its own interval; one has no report yet. */
const RATES: ExportedMachine["rates"] = new Map([
  ["p.example", { cpuPercent: 25, speeds: { sentBytesPerSecond: 1, receivedBytesPerSecond: 2 } }],
  ["q.example", { cpuPercent: 50, speeds: { sentBytesPerSecond: 3, receivedBytesPerSecond: 4 } }],
  ["r.example", {}],
]);

Deno.test("machineMetrics() has the reported values in base units", () => {
  const found = linesOf({
    memory: { totalBytes: 100, usedBytes: 40 },
    swap: { totalBytes: 50, usedBytes: 10 },
    disk: { totalBytes: 1000, usedBytes: 300 },
    load: { oneMinute: 1.5, fiveMinutes: 2, fifteenMinutes: 3 },
    traffic: { sentBytes: 7, receivedBytes: 8 },
    connections: { tcp: 3, udp: 4 },
    uptimeSeconds: 63.5,
    processes: 9,
    gpus: [{
      name: "GPU",
      usePercent: 50,
      memory: { totalBytes: 64, usedBytes: 32 },
      temperatureCelsius: 71.5,
    }],
    failures: ["cannot measure load"],
  }, RATES);
  assertEquals(found, [
    'komari_cpu_usage_ratio{panel="p.example"} 0.25',
    'komari_cpu_usage_ratio{panel="q.example"} 0.5',
    "node_load1 1.5",
    "node_load5 2",
    "node_load15 3",
    "node_memory_MemTotal_bytes 100",
    "komari_memory_total_bytes 100",
    "komari_memory_used_bytes 40",
    "komari_swap_total_bytes 50",
    "komari_swap_used_bytes 10",
    "komari_disk_total_bytes 1000",
    "komari_disk_used_bytes 300",
    'node_network_receive_bytes_total{device="eth0"} 6',
    'node_network_transmit_bytes_total{device="eth0"} 5',
    'komari_traffic_bytes{direction="receive"} 8',
    'komari_traffic_bytes{direction="transmit"} 7',
    'komari_network_bytes_per_second{direction="receive",panel="p.example"} 2',
    'komari_network_bytes_per_second{direction="transmit",panel="p.example"} 1',
    'komari_network_bytes_per_second{direction="receive",panel="q.example"} 4',
    'komari_network_bytes_per_second{direction="transmit",panel="q.example"} 3',
    'komari_connections{protocol="tcp"} 3',
    'komari_connections{protocol="udp"} 4',
    "node_processes_pids 9",
    "node_boot_time_seconds 1795616700",
    'komari_gpu_usage_ratio{gpu="0",name="GPU"} 0.5',
    'komari_gpu_memory_total_bytes{gpu="0",name="GPU"} 64',
    'komari_gpu_memory_used_bytes{gpu="0",name="GPU"} 32',
    'komari_gpu_temperature_celsius{gpu="0",name="GPU"} 71.5',
    'komari_unmeasured{metric="load"} 1',
    "komari_measured_timestamp_seconds 1795616763",
    'komari_machine_info{arch="amd64",cpu="EPYC",os="Debian",kernel="6.1",virtualization="kvm"} 1',
  ]);
});
