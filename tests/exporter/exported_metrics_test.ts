import { assertEquals, assertStringIncludes } from "@std/assert";
import {
  type ExportedMachine,
  machineMetrics,
  ProbeMetrics,
} from "../../lib/exporter/exported_metrics.ts";
import { formatMetrics, type MetricFamily } from "../../lib/exporter/openmetrics.ts";
import type { ProbeResult, Snapshot } from "../../lib/types.ts";
import { testsWith } from "../tests_with.ts";
import { same } from "../cases.ts";

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

/** What is shown of lost results, a line a probe. */
function lost(probes: ProbeMetrics): string[] {
  return lines(probes.families()).filter((line) => line.includes("lost"));
}

function result(taskId: number, valueMs: number): ProbeResult {
  return { taskId, kind: "tcp", valueMs, finishedAt: new Date(0) };
}

const withProbes = testsWith(() => new ProbeMetrics());

Deno.test("ProbeMetrics.observe() keeps the last duration, none of a lost one, and counts those", async () => {
  const labels = 'panel="p",task="1",kind="tcp",target="[::1]:443"';
  await same(
    (results) => {
      const probes = new ProbeMetrics();
      probes.schedule("p", [{ id: 1, kind: "tcp", target: "[::1]:443", intervalSeconds: 60 }]);
      for (const ms of results) probes.observe("p", result(1, ms));
      probes.observe("p", result(2, 5));
      probes.observe("other", result(1, 5));
      return lines(probes.families());
    },
    [
      [[], [`komari_probe_lost_total{${labels}} 0`]],
      [[5, 0.25], [
        `komari_probe_duration_seconds{${labels}} 0.00025`,
        `komari_probe_lost_total{${labels}} 0`,
      ]],
      [[-1, 0], [
        `komari_probe_duration_seconds{${labels}} 0`,
        `komari_probe_lost_total{${labels}} 1`,
      ]],
      [[5, -1, -1], [`komari_probe_lost_total{${labels}} 2`]],
    ],
  );
});

withProbes.test("ProbeMetrics.define() shows no user, query or fragment of a target", (probes) => {
  const targets = ["https://h.example/a?token=secret#secret", "http://me:secret@h.example/"];
  for (const [taskId, target] of targets.entries()) {
    probes.define("p", { id: taskId, kind: "http", target });
  }
  probes.define("p", { id: 9, kind: "icmp", target: "1.1.1.1" });
  probes.define("p", { id: 10, kind: "http", target: "http://h/".padEnd(2000, "a") });
  assertEquals(lost(probes).map((line) => /target="([^"]*)"/.exec(line)?.[1]), [
    "https://h.example/a",
    "invalid",
    "1.1.1.1",
    `${"http://h/".padEnd(199, "a")}\u2026`,
  ]);
});

withProbes.test("ProbeMetrics.schedule() forgets probes that are scheduled no more", (probes) => {
  const task = (id: number) =>
    ({ id, kind: "icmp", target: `h${id}`, intervalSeconds: 1 }) as const;
  probes.schedule("p", [task(1), task(2)]);
  probes.schedule("q", [task(1)]);
  probes.define("p", { id: 5, kind: "icmp", target: "ordered" });
  probes.schedule("p", [task(2)]);
  const shown = lost(probes).map((line) => /panel="(.)",task="(.)"/.exec(line)?.slice(1).join(""));
  assertEquals(shown, ["p2", "q1", "p5"]);
  // One that was ordered first, and is scheduled from now on, is forgotten like the others.
  probes.schedule("p", [{ ...task(5), target: "ordered" }]);
  probes.schedule("p", []);
  assertEquals(lost(probes).map((line) => /panel="(.)"/.exec(line)?.[1]), ["q"]);
});

withProbes.test("ProbeMetrics.define() starts at 0 when the target changes, and keeps 1,000 probes of a panel", (probes) => {
  probes.define("p", { id: 1, kind: "tcp", target: "a" });
  probes.observe("p", result(1, -1));
  probes.define("p", { id: 1, kind: "tcp", target: "a" });
  assertEquals(lines(probes.families()).at(-1)?.endsWith(" 1"), true);
  probes.define("p", { id: 1, kind: "tcp", target: "b" });
  assertEquals(lines(probes.families()).at(-1)?.endsWith(" 0"), true);
  probes.define("p", { id: 1, kind: "tcp", target: "b", reference: "r" });
  assertEquals(lines(probes.families()).at(-1)?.includes('role="reference"'), true);
  probes.define("q", { id: 1, kind: "tcp", target: "a" });
  for (let taskId = 2; taskId < 1_100; taskId++) {
    probes.define("p", { id: taskId, kind: "tcp", target: "a" });
  }
  const [other = "", ...own] = lost(probes);
  assertStringIncludes(other, 'panel="q"', "a panel takes no place of another's");
  const tasks = own.map((line) => Number(/task="(\d+)"/.exec(line)?.[1]));
  assertEquals(tasks, Array.from({ length: 1_000 }, (_, at) => at + 100), "the last ones");
});

withProbes.test("ProbeMetrics.define() starts at 0 when a probe of the same target is of another kind", (probes) => {
  probes.define("p", { id: 1, kind: "tcp", target: "https://me@h" });
  probes.observe("p", result(1, -1));
  probes.define("p", { id: 1, kind: "icmp", target: "https://me@h" });
  assertEquals(lost(probes), [
    'komari_probe_lost_total{panel="p",task="1",kind="icmp",target="invalid"} 0',
  ]);
});

withProbes.test("ProbeMetrics.define() forgets the probe that was defined anew first of too many last", (probes) => {
  for (let id = 1; id <= 1_000; id++) probes.define("p", { id, kind: "icmp", target: "a" });
  probes.define("p", { id: 1, kind: "icmp", target: "b" });
  probes.define("p", { id: 1_001, kind: "icmp", target: "a" });
  const tasks = lost(probes).map((line) => Number(/task="(\d+)"/.exec(line)?.[1]));
  assertEquals([tasks.includes(1), tasks.includes(2), tasks.length], [true, false, 1_000]);
});

withProbes.test("ProbeMetrics.observe() keeps the results of a dual probe and of a reference apart", (probes) => {
  probes.define("p", { id: 1, kind: "dual", target: "h", reference: "h" });
  probes.define("p", { id: 2, kind: "auto", target: "h" });
  const add = (taskId: number, kind: "icmp" | "tcp", times: number, more = {}) => {
    for (let n = 0; n < times; n++) {
      probes.observe("p", { taskId, kind, valueMs: -1, finishedAt: new Date(0), ...more });
    }
  };
  add(1, "icmp", 1);
  add(1, "tcp", 2);
  add(1, "icmp", 3, { isReference: true });
  add(2, "icmp", 4);
  add(2, "tcp", 4);
  assertEquals(lost(probes), [
    'komari_probe_lost_total{panel="p",task="1",kind="icmp",target="h"} 1',
    'komari_probe_lost_total{panel="p",task="1",kind="tcp",target="h:443"} 2',
    'komari_probe_lost_total{panel="p",task="1",kind="icmp",target="h",role="reference"} 3',
    'komari_probe_lost_total{panel="p",task="2",kind="auto",target="h"} 8',
  ]);
});
