import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  toWireBasicInfo,
  toWireCommandResult,
  toWireFileResult,
  toWireProbeResult,
  toWireReport,
} from "../../lib/panel/protocol.ts";
import type { MachineFacts, Report } from "../../lib/types.ts";

const FACTS: MachineFacts = { arch: "amd64", cpuName: "A CPU", logicalCores: 4, physicalCores: 2 };

function snapshotOf(value: number): Report {
  const usage = { totalBytes: value, usedBytes: value };
  return {
    cpuPercent: value,
    memory: usage,
    swap: usage,
    disk: usage,
    load: { oneMinute: value, fiveMinutes: value, fifteenMinutes: value },
    traffic: { sentBytes: value, receivedBytes: value },
    speeds: { sentBytesPerSecond: value, receivedBytesPerSecond: value },
    connections: { tcp: value, udp: value },
    uptimeSeconds: value,
    processes: value,
    failures: [],
  };
}

/** Every number of a report that must be whole, by its path. */
function counts(report: ReturnType<typeof toWireReport>): number[] {
  return [
    ...Object.values(report.ram),
    ...Object.values(report.swap),
    ...Object.values(report.disk),
    ...Object.values(report.network),
    ...Object.values(report.connections),
    report.uptime,
    report.process,
  ];
}

function assertFitForTheWire(report: ReturnType<typeof toWireReport>): void {
  assertEquals(counts(report).length, 14);
  for (const value of counts(report)) {
    assert(Number.isSafeInteger(value) && value >= 0, `count ${value}`);
    assert(/^\d+$/.test(JSON.stringify(value)), `written as ${JSON.stringify(value)}`);
  }
  assert(report.cpu.usage >= 0.001 && report.cpu.usage <= 100, `cpu ${report.cpu.usage}`);
  assert(report.load.load1 >= 0 && report.load.load1 <= 1000, `load ${report.load.load1}`);
  const loads = Object.values(report.load);
  assertEquals(loads.length, 3);
  for (const load of loads) assert(Number.isFinite(load) && load >= 0);
}

/** Basic info of a machine of which nothing else is known, with what is given. */
function infoOf(given: Partial<Parameters<typeof toWireBasicInfo>[0]>) {
  const usual = { facts: FACTS, snapshot: { failures: [] }, addresses: {}, version: "1" };
  return toWireBasicInfo({ ...usual, withoutNewColumns: false, ...given });
}

Deno.test("toWireReport() keeps type and range whatever was measured", () => {
  const odd = [0, -0, -1, 0.4, 1e-9, 2 ** 53, 2 ** 63, 1e21, NaN, Infinity, -Infinity, 101, 1000.5];
  for (const value of odd) assertFitForTheWire(toWireReport(snapshotOf(value)));
  fc.assert(
    fc.property(fc.double(), (value) => assertFitForTheWire(toWireReport(snapshotOf(value)))),
  );
});

/** A snapshot in which no two values are equal. */
const DISTINCT: Report = {
  cpuPercent: 1.5,
  memory: { totalBytes: 102, usedBytes: 101 },
  swap: { totalBytes: 104, usedBytes: 103 },
  disk: { totalBytes: 106, usedBytes: 105 },
  load: { oneMinute: 2.5, fiveMinutes: 3.5, fifteenMinutes: 4.5 },
  traffic: { sentBytes: 107, receivedBytes: 108 },
  speeds: { sentBytesPerSecond: 109, receivedBytesPerSecond: 110 },
  connections: { tcp: 111, udp: 112 },
  uptimeSeconds: 113,
  processes: 114,
  failures: [],
  gpus: [
    {
      name: "One",
      usePercent: 10.5,
      memory: { totalBytes: 116, usedBytes: 115 },
      temperatureCelsius: 50,
    },
    { name: "Two", usePercent: 20.5 },
  ],
};

Deno.test("toWireReport() puts each value into its own field", () => {
  assertEquals(toWireReport(DISTINCT), {
    cpu: { usage: 1.5 },
    ram: { total: 102, used: 101 },
    swap: { total: 104, used: 103 },
    load: { load1: 2.5, load5: 3.5, load15: 4.5 },
    disk: { total: 106, used: 105 },
    network: { up: 109, down: 110, totalUp: 107, totalDown: 108 },
    connections: { tcp: 111, udp: 112 },
    uptime: 113,
    process: 114,
    message: "",
    gpu: {
      count: 2,
      average_usage: 15.5,
      detailed_info: [
        { name: "One", memory_total: 116, memory_used: 115, utilization: 10.5, temperature: 50 },
        { name: "Two", memory_total: 0, memory_used: 0, utilization: 20.5, temperature: 0 },
      ],
    },
  });
});

Deno.test("toWireReport() rounds to the nearest and keeps what is whole", () => {
  const report = toWireReport(snapshotOf(41.6));
  assertEquals(report.ram, { total: 42, used: 42 });
  assertEquals(report.network, { up: 42, down: 42, totalUp: 42, totalDown: 42 });
  assertEquals(report.cpu.usage, 41.6);
  assertEquals(toWireReport(snapshotOf(2 ** 53 - 1)).ram.total, 2 ** 53 - 1);
});

Deno.test("toWireReport() fills in absent values, since the panel refuses incomplete reports", () => {
  const report = toWireReport({ failures: ["cannot measure load", "cannot measure memory"] });
  assertEquals(report, {
    cpu: { usage: 0.001 },
    ram: { total: 0, used: 0 },
    swap: { total: 0, used: 0 },
    load: { load1: 0, load5: 0, load15: 0 },
    disk: { total: 0, used: 0 },
    network: { up: 0, down: 0, totalUp: 0, totalDown: 0 },
    connections: { tcp: 0, udp: 0 },
    uptime: 0,
    process: 0,
    message: "cannot measure load; cannot measure memory",
  });
});

Deno.test("toWireBasicInfo() has only fields that the panel knows, each value in its own", () => {
  const info = infoOf({
    facts: {
      ...FACTS,
      osName: "Debian",
      kernelVersion: "6.1",
      virtualization: "kvm",
      gpuName: "G",
    },
    snapshot: DISTINCT,
    addresses: { ipv4: "192.0.2.1", ipv6: "2001:db8::1" },
    version: "1.0.0",
  });
  assertEquals(info, {
    arch: "amd64",
    cpu_name: "A CPU",
    cpu_cores: 4,
    cpu_physical_cores: 2,
    gpu_name: "G",
    ipv4: "192.0.2.1",
    ipv6: "2001:db8::1",
    mem_total: 102,
    swap_total: 104,
    disk_total: 106,
    os: "Debian",
    kernel_version: "6.1",
    virtualization: "kvm",
    version: "1.0.0",
  });
  const unknown = infoOf({});
  assertEquals(["kernel_version", "ipv4", "ipv6"].filter((name) => name in unknown), []);
});

Deno.test("toWireBasicInfo() sends no character that acts on a terminal, and no long text", () => {
  const odd = "\x1b[31mDebian\x07\u202e 12\x9b\x7f\n";
  const info = infoOf({
    facts: {
      ...{ arch: odd, cpuName: odd, osName: odd, gpuName: odd, kernelVersion: odd },
      virtualization: "x".repeat(1_000),
    },
  });
  for (const text of [info.arch, info.cpu_name, info.os, info.gpu_name, info.kernel_version]) {
    assertEquals(text, "[31mDebian  12");
  }
  assertEquals(info.virtualization, `${"x".repeat(199)}…`);
});

Deno.test("toWireBasicInfo() says so where nothing tells a fact", () => {
  const info = infoOf({ facts: { arch: "amd64", cpuName: "\x1b" }, withoutNewColumns: true });
  assertEquals([info.cpu_name, info.os, info.virtualization], ["unknown", "unknown", ""]);
});

Deno.test("toWireBasicInfo() omits newer columns for old panels", () => {
  const info = infoOf({ facts: { ...FACTS, kernelVersion: "6.1" }, withoutNewColumns: true });
  assertEquals("kernel_version" in info || "cpu_physical_cores" in info, false);
  assertEquals([info.mem_total, info.swap_total, info.disk_total, info.gpu_name], [
    0,
    0,
    0,
    "None",
  ]);
});

Deno.test("toWireBasicInfo() never sends a fraction", () => {
  fc.assert(fc.property(fc.double(), fc.double(), (cores, bytes) => {
    const info = infoOf({
      facts: { arch: "arm64", logicalCores: cores, physicalCores: cores },
      snapshot: snapshotOf(bytes),
    });
    const values = [info.cpu_cores, info.cpu_physical_cores, info.mem_total, info.disk_total];
    for (const value of values) {
      assert(Number.isSafeInteger(value), String(value));
    }
  }));
});

Deno.test("toWireProbeResult() sends whole milliseconds, rounded down, -1 for lost ones, and a zone", () => {
  const finishedAt = new Date("2026-02-21T23:29:10.123Z");
  const result = { taskId: 7, kind: "tcp" as const, valueMs: 12.6, finishedAt };
  assertEquals(toWireProbeResult(result), {
    task_id: 7,
    value: 12,
    ping_type: "tcp",
    finished_at: "2026-02-21T23:29:10.123Z",
  });
  assertEquals(toWireProbeResult({ ...result, isReference: true }).role, "reference");
  assertEquals(toWireProbeResult({ ...result, valueMs: -1 }).value, -1);
  assertEquals(toWireProbeResult({ ...result, valueMs: NaN }).value, -1);
  assertEquals(toWireProbeResult({ ...result, valueMs: 0.9 }).value, 0);
  assertEquals(toWireProbeResult({ ...result, valueMs: 0 }).value, 0);
});

Deno.test("toWireCommandResult() sends the output as it is, and a whole exit code", () => {
  const result = { taskId: "c-1", output: "out\nerr\n", exitCode: -1, finishedAt: new Date(0) };
  assertEquals(toWireCommandResult(result), {
    task_id: "c-1",
    result: "out\nerr\n",
    exit_code: -1,
    finished_at: "1970-01-01T00:00:00.000Z",
  });
  assertEquals(toWireCommandResult({ ...result, output: "" }).result, "");
  assertEquals(toWireCommandResult({ ...result, exitCode: 1.5 }).exit_code, 1);
});

Deno.test("toWireReport() names values that are cut", () => {
  const load = { oneMinute: 4500.5, fiveMinutes: 3000, fifteenMinutes: 2000 };
  const traffic = { sentBytes: 2 ** 53, receivedBytes: 1 };
  const report = toWireReport({ load, traffic, failures: ["cannot measure memory"] });
  assertEquals(report.load, { load1: 1000, load5: 3000, load15: 2000 });
  assertEquals(report.network.totalUp, Number.MAX_SAFE_INTEGER);
  assertEquals(
    report.message,
    "cannot measure memory; load1 is 4500.5, sent as 1000; " +
      "total traffic is above 2^53 bytes, sent as 2^53 - 1",
  );
  const whole = toWireReport({
    load: { ...load, oneMinute: 1000 },
    traffic: { sentBytes: 2 ** 53 - 1, receivedBytes: 0 },
    failures: [],
  });
  assertEquals(whole.message, "");
  const cases = [{ sentBytes: 2 ** 53, receivedBytes: 0 }, {
    sentBytes: 0,
    receivedBytes: 2 ** 53,
  }];
  for (const traffic of cases) {
    const { message } = toWireReport({ traffic, failures: [] });
    assertEquals(message, "total traffic is above 2^53 bytes, sent as 2^53 - 1");
  }
});

Deno.test("toWireReport() names disks, memory and swap that are cut", () => {
  const usage = { totalBytes: 1.5 * 2 ** 53, usedBytes: 1 };
  const { message, disk } = toWireReport({ disk: usage, memory: usage, swap: usage, failures: [] });
  assertEquals(disk.total, Number.MAX_SAFE_INTEGER);
  assertEquals(
    message,
    "memory is above 2^53 bytes, sent as 2^53 - 1; swap is above 2^53 bytes, sent as 2^53 - 1; " +
      "disk space is above 2^53 bytes, sent as 2^53 - 1",
  );
});

Deno.test("toWireReport() sends no character that acts on a terminal", () => {
  const { message, gpu } = toWireReport({
    failures: ['cannot measure part of disk space "/mnt/\x1b[2J\x9b\u202ea"'],
    gpus: [{ name: "A\x1b[2J card\n" }],
  });
  assertEquals(message, 'cannot measure part of disk space "/mnt/ [2J a"');
  assertEquals(gpu?.detailed_info[0]?.name, "A [2J card");
});

Deno.test("toWireFileResult() has a result in each answer, which is null where there is none", () => {
  const refused = toWireFileResult({ requestId: "r", ok: false, error: "no such file" });
  const wire: unknown = JSON.parse(JSON.stringify(refused));
  assertEquals(wire, { request_id: "r", ok: false, result: null, error: "no such file" });
});

Deno.test("toWireReport() bounds the message, however much has failed", () => {
  const failures = Array.from({ length: 100 }, (_, at) => `cannot measure ${at}`);
  const { message } = toWireReport({ failures });
  assertEquals([message.length, message.slice(0, 16), message.at(-1)], [
    400,
    "cannot measure 0",
    "…",
  ]);
});

Deno.test("toWireReport() has graphics cards only where there are some", () => {
  assertEquals("gpu" in toWireReport({ failures: [] }), false);
  assertEquals("gpu" in toWireReport({ failures: [], gpus: [] }), false);
  const memory = { totalBytes: 2 ** 34, usedBytes: 1000.4 };
  const { gpu } = toWireReport({
    failures: [],
    gpus: [
      { name: "A", usePercent: 33.3333, memory, temperatureCelsius: 45.5 },
      { name: "B", temperatureCelsius: -3.2 },
      { name: "C", usePercent: 0, isSuspended: true },
    ],
  });
  const nothing = { memory_total: 0, memory_used: 0, utilization: 0, temperature: 0 };
  assertEquals(gpu, {
    count: 3,
    // B does not tell its use, and is no card of 0.
    average_usage: 16.667,
    detailed_info: [
      { name: "A", memory_total: 2 ** 34, memory_used: 1000, utilization: 33.333, temperature: 46 },
      { ...nothing, name: "B", temperature: -3 },
      { ...nothing, name: "C" },
    ],
  });
});

Deno.test("toWireReport() keeps the types of graphics cards whatever was measured", () => {
  fc.assert(fc.property(fc.array(fc.double(), { minLength: 4, maxLength: 4 }), (values) => {
    const [use = 0, total = 0, used = 0, temperature = 0] = values;
    const { gpu } = toWireReport({
      failures: [],
      gpus: [{
        name: "A",
        usePercent: use,
        memory: { totalBytes: total, usedBytes: used },
        temperatureCelsius: temperature,
      }],
    });
    const [card] = gpu?.detailed_info ?? [];
    assert(gpu && card);
    for (const whole of [card.memory_total, card.memory_used, card.temperature]) {
      assert(/^-?\d+$/.test(JSON.stringify(whole)), JSON.stringify(whole));
    }
    for (const percent of [gpu.average_usage, card.utilization]) {
      assert(percent >= 0 && percent <= 100);
    }
  }));
});

Deno.test("toWireReport() bounds loads, and drops temperatures that are none", () => {
  const report = toWireReport({
    failures: [],
    load: { oneMinute: 1e9, fiveMinutes: 1e9, fifteenMinutes: 1e9 },
    gpus: [-273, -272, 999, 1000].map((temperatureCelsius) => ({ name: "A", temperatureCelsius })),
  });
  assertEquals(report.load, { load1: 1000, load5: 1e6, load15: 1e6 });
  const cards = report.gpu?.detailed_info ?? [];
  assertEquals(cards.map(({ temperature }) => temperature), [0, -272, 999, 0]);
});
