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
import { same } from "../cases.ts";

const FACTS: MachineFacts = { arch: "amd64", cpuName: "A CPU", logicalCores: 4, physicalCores: 2 };

/** A report whose every number is this one. */
function reportWith(value: number): Report {
  const usage = { totalBytes: value, usedBytes: value };
  return {
    ...{ cpuPercent: value, memory: usage, swap: usage, disk: usage, failures: [] },
    load: { oneMinute: value, fiveMinutes: value, fifteenMinutes: value },
    traffic: { sentBytes: value, receivedBytes: value },
    speeds: { sentBytesPerSecond: value, receivedBytesPerSecond: value },
    ...{ connections: { tcp: value, udp: value }, uptimeSeconds: value, processes: value },
    gpus: [{ name: "A", usePercent: value, memory: usage, temperatureCelsius: value }],
  };
}

/** The numbers on the wire of such a report: counts, percents, loads and degrees. */
function numbersOf(value: number) {
  const { cpu, load, uptime, process, gpu, ...more } = toWireReport(reportWith(value));
  const { ram, swap, disk, network, connections } = more;
  const [card] = gpu?.detailed_info ?? [];
  assert(gpu && card);
  const counts = [ram, swap, disk, network, connections, { uptime, process }].flatMap((it) =>
    Object.values(it)
  );
  return {
    counts: [...counts, card.memory_total, card.memory_used],
    percents: [cpu.usage, gpu.average_usage, card.utilization],
    loads: Object.values(load),
    degrees: card.temperature,
  };
}

/** A report with nothing but what is given. */
const reportOf = (given: Partial<Report>) => toWireReport({ failures: [], ...given });

/** Basic info of a machine of which nothing else is known, with what is given. */
function infoOf(given: Partial<Parameters<typeof toWireBasicInfo>[0]>) {
  const usual = { facts: FACTS, snapshot: { failures: [] }, addresses: {}, version: "1" };
  return toWireBasicInfo({ ...usual, withoutNewColumns: false, ...given });
}

Deno.test("toWireReport() keeps type and range whatever was measured", () => {
  const odd = [0, -0, -1, 0.4, 1e-9, 2 ** 53, 2 ** 63, 1e21, NaN, Infinity, -Infinity, 101, 1000.5];
  fc.assert(fc.property(fc.oneof(fc.constantFrom(...odd), fc.double()), (value) => {
    const { counts, percents, loads, degrees } = numbersOf(value);
    assertEquals(counts.length, 16);
    for (const count of counts) assert(/^\d+$/.test(JSON.stringify(count)), `count ${count}`);
    for (const count of counts) assert(Number.isSafeInteger(count), `count ${count}`);
    for (const it of percents) assert(it >= 0 && it <= 100, `percent ${it}`);
    assert((percents[0] ?? 0) >= 0.001, "the panel stores a 0 as no value");
    for (const load of loads) assert(load >= 0 && load <= 1e6, `load ${load}`);
    assert((loads[0] ?? NaN) <= 1000, `load ${loads[0]}`);
    assert(/^-?\d+$/.test(JSON.stringify(degrees)) && Math.abs(degrees) < 1000, `${degrees}`);
  }));
});

Deno.test("toWireReport() rounds to the nearest, keeps what is whole, and bounds the rest", () => {
  same((value) => {
    const { counts, percents, loads, degrees } = numbersOf(value);
    return [[...new Set(counts)], [...new Set(percents)], loads, degrees].join(" | ");
  }, [
    [41.6, "42 | 41.6 | 41.6,41.6,41.6 | 42"],
    [33.3333, "33 | 33.333 | 33.333,33.333,33.333 | 33"],
    [-272, "0 | 0.001,0 | 0,0,0 | -272"],
    [-273, "0 | 0.001,0 | 0,0,0 | 0"],
    [999, "999 | 100 | 999,999,999 | 999"],
    [1000, "1000 | 100 | 1000,1000,1000 | 0"],
    [2 ** 53 - 1, "9007199254740991 | 100 | 1000,1000000,1000000 | 0"],
    [2 ** 54, "9007199254740991 | 100 | 1000,1000000,1000000 | 0"],
  ]);
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
      ...{ name: "One", usePercent: 10.5, temperatureCelsius: 50 },
      memory: { totalBytes: 116, usedBytes: 115 },
    },
    { name: "Two", usePercent: 20.5 },
  ],
};

const NOTHING = { memory_total: 0, memory_used: 0, utilization: 0, temperature: 0 };

Deno.test("toWireReport() puts each value into its own field, and fills in absent ones, which the panel needs", () => {
  assertEquals(toWireReport(DISTINCT), {
    cpu: { usage: 1.5 },
    ram: { total: 102, used: 101 },
    swap: { total: 104, used: 103 },
    load: { load1: 2.5, load5: 3.5, load15: 4.5 },
    disk: { total: 106, used: 105 },
    network: { up: 109, down: 110, totalUp: 107, totalDown: 108 },
    connections: { tcp: 111, udp: 112 },
    ...{ uptime: 113, process: 114, message: "" },
    gpu: {
      count: 2,
      average_usage: 15.5,
      detailed_info: [
        { name: "One", memory_total: 116, memory_used: 115, utilization: 10.5, temperature: 50 },
        { ...NOTHING, name: "Two", utilization: 20.5 },
      ],
    },
  });
  const none = { total: 0, used: 0 };
  assertEquals(reportOf({ failures: ["cannot measure load", "cannot measure memory"] }), {
    ...{ cpu: { usage: 0.001 }, ram: none, swap: none, disk: none },
    load: { load1: 0, load5: 0, load15: 0 },
    network: { up: 0, down: 0, totalUp: 0, totalDown: 0 },
    ...{ connections: { tcp: 0, udp: 0 }, uptime: 0, process: 0 },
    message: "cannot measure load; cannot measure memory",
  });
});

Deno.test("toWireReport() says in its message what failed, in 400 printable characters", async () => {
  const failures = (...failures: string[]) => ({ failures });
  await same((given: Partial<Report>) => reportOf(given).message, [
    [failures(), ""],
    [failures("x", "y"), "x; y"],
    [failures('disk space "/mnt/\x1b[2J\x9b\u202ea"'), 'disk space "/mnt/ [2J a"'],
    [failures("x".repeat(400)), "x".repeat(400)],
    [failures("x".repeat(401)), `${"x".repeat(399)}…`],
  ]);
});

Deno.test("toWireReport() has graphics cards only where there are some, with what they tell", () => {
  assertEquals(["gpu" in reportOf({}), "gpu" in reportOf({ gpus: [] })], [false, false]);
  const { gpu } = reportOf({
    gpus: [
      { name: "A\x1b[2J card\n", usePercent: 33.3333 },
      { name: "B", temperatureCelsius: -3.2 },
      { name: "C", usePercent: 0, isSuspended: true },
    ],
  });
  assertEquals(gpu, {
    count: 3,
    average_usage: 16.667, // B does not tell its use, and is no card of 0.
    detailed_info: [
      { ...NOTHING, name: "A [2J card", utilization: 33.333 },
      { ...NOTHING, name: "B", temperature: -3 },
      { ...NOTHING, name: "C" },
    ],
  });
});

Deno.test("toWireBasicInfo() has only fields that the panel knows, each value in its own", () => {
  const facts = { osName: "Debian", kernelVersion: "6.1", virtualization: "kvm", gpuName: "G" };
  const addresses = { ipv4: "192.0.2.1", ipv6: "2001:db8::1" };
  const given = { facts: { ...FACTS, ...facts }, snapshot: DISTINCT, addresses, version: "1.0.0" };
  const expected = {
    ...{ arch: "amd64", cpu_name: "A CPU", cpu_cores: 4, cpu_physical_cores: 2, gpu_name: "G" },
    ...{ ...addresses, mem_total: 102, swap_total: 104, disk_total: 106, os: "Debian" },
    ...{ kernel_version: "6.1", virtualization: "kvm", version: "1.0.0" },
  };
  assertEquals(infoOf(given), expected);
  const { cpu_physical_cores: _, kernel_version: _newer, ...older } = expected;
  assertEquals(infoOf({ ...given, withoutNewColumns: true }), older);
  const unknown = infoOf({});
  assertEquals(["kernel_version", "ipv4", "ipv6"].filter((name) => name in unknown), []);
  assertEquals(infoOf({ facts: { arch: "amd64", cpuName: "\x1b" }, withoutNewColumns: true }), {
    ...{ arch: "amd64", cpu_name: "unknown", cpu_cores: 0, gpu_name: "None", os: "unknown" },
    ...{ mem_total: 0, swap_total: 0, disk_total: 0, virtualization: "", version: "1" },
  });
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

Deno.test("toWireProbeResult() sends whole milliseconds, rounded down, -1 for lost ones, and a zone", async () => {
  const finishedAt = new Date("2026-02-21T23:29:10.123Z");
  const result = { taskId: 7, kind: "tcp" as const, valueMs: 12.6, finishedAt };
  const wire = { task_id: 7, value: 12, ping_type: "tcp", finished_at: "2026-02-21T23:29:10.123Z" };
  await same(toWireProbeResult, [
    [result, wire],
    [{ ...result, isReference: true }, { ...wire, role: "reference" }],
    ...[[-1, -1], [NaN, -1], [0.9, 0], [0, 0]].map(([valueMs = 0, value]) =>
      [{ ...result, valueMs }, { ...wire, value }] as const
    ),
  ]);
});

Deno.test("toWireCommandResult() and toWireFileResult() send output as it is, a whole exit code, and a result that may be null", async () => {
  const result = { taskId: "c-1", output: "out\nerr\n", exitCode: -1, finishedAt: new Date(0) };
  const finished_at = "1970-01-01T00:00:00.000Z";
  const wire = { task_id: "c-1", result: "out\nerr\n", exit_code: -1, finished_at };
  await same(toWireCommandResult, [
    [result, wire],
    [{ ...result, output: "" }, { ...wire, result: "" }],
    [{ ...result, exitCode: 1.5 }, { ...wire, exit_code: 1 }],
  ]);
  const refused = toWireFileResult({ requestId: "r", ok: false, error: "no such file" });
  assertEquals(refused, { request_id: "r", ok: false, result: null, error: "no such file" });
});
