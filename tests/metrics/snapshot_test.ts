import { assertEquals } from "@std/assert";
import { setUpLog } from "../../lib/log/log.ts";
import { type Collectors, Sampler, takeSnapshot } from "../../lib/metrics/snapshot.ts";
import { FakeTime } from "../fake_time.ts";

function of<T>(value: T): { collect(): T } {
  return { collect: () => value };
}

function collectors(changed: Partial<Collectors> = {}): Collectors {
  const usage = { totalBytes: 10, usedBytes: 4 };
  return {
    cpu: of(12),
    memory: of({ memory: usage, swap: usage }),
    disk: of(usage),
    load: of({ oneMinute: 1, fiveMinutes: 2, fifteenMinutes: 3 }),
    traffic: of({ sentBytes: 1, receivedBytes: 2 }),
    connections: of({ tcp: 1, udp: 2 }),
    uptime: of(99),
    processes: of(7),
    ...changed,
  };
}

const broken = {
  collect(): never {
    throw new SyntaxError('Cannot parse loadavg: "x"');
  },
};

Deno.test("takeSnapshot() combines all collectors", () => {
  const usage = { totalBytes: 10, usedBytes: 4 };
  assertEquals(takeSnapshot(collectors()), {
    gpus: undefined,
    cpuPercent: 12,
    memory: usage,
    swap: usage,
    disk: usage,
    load: { oneMinute: 1, fiveMinutes: 2, fifteenMinutes: 3 },
    traffic: { sentBytes: 1, receivedBytes: 2 },
    connections: { tcp: 1, udp: 2 },
    uptimeSeconds: 99,
    processes: 7,
    failures: [],
  });
});

Deno.test("takeSnapshot() leaves out values without data, which is not a failure", () => {
  const snapshot = takeSnapshot(collectors({ load: of(undefined), memory: of({}) }));
  assertEquals([snapshot.load, snapshot.memory, snapshot.swap], [undefined, undefined, undefined]);
  assertEquals(snapshot.failures, []);
});

Deno.test("takeSnapshot() continues when a collector fails, and names it in failures", () => {
  const seen: unknown[] = [];
  const snapshot = takeSnapshot(collectors({ load: broken }), ({ subject }) => seen.push(subject));
  assertEquals(snapshot.failures, ["cannot measure load"]);
  assertEquals(snapshot.processes, 7);
  assertEquals(seen, ["load"]);
});

Deno.test("takeSnapshot() uses the last known value of a failed collector, and names it in failures", () => {
  const recalling = {
    ...broken,
    lastKnown: () => ({ oneMinute: 3, fiveMinutes: 2, fifteenMinutes: 1 }),
  };
  const snapshot = takeSnapshot(collectors({ load: recalling }));
  assertEquals(snapshot.load?.oneMinute, 3);
  assertEquals(snapshot.failures, ["cannot measure load"]);
});

Deno.test("takeSnapshot() combines the cards of all GPU collectors", () => {
  const cards = [
    { subject: "graphics card A", collector: of([{ name: "A", usePercent: 5 }]) },
    { subject: "graphics card B", collector: broken },
    { subject: "graphics card C", collector: of(undefined) },
    { subject: "the rest", collector: of([{ name: "D" }, { name: "E" }]) },
  ];
  const snapshot = takeSnapshot(collectors({ gpus: cards }));
  assertEquals(snapshot.gpus?.map(({ name }) => name), ["A", "D", "E"]);
  assertEquals(snapshot.failures, ["cannot measure graphics card B"]);
});

const USAGE = { totalBytes: 10, usedBytes: 4 };
const LOAD = { oneMinute: 1, fiveMinutes: 2, fifteenMinutes: 3 };

const WORKING: Collectors = {
  cpu: of(12),
  memory: of({ memory: USAGE, swap: USAGE }),
  disk: of(USAGE),
  load: of(LOAD),
  traffic: of({ sentBytes: 1, receivedBytes: 2 }),
  connections: of({ tcp: 1, udp: 2 }),
  uptime: of(99),
  processes: of(7),
};

/** A machine whose collectors can be exchanged. */
function machine() {
  const parts = { ...WORKING };
  const sampler = new Sampler(
    {
      cpu: { collect: () => parts.cpu.collect() },
      memory: { collect: () => parts.memory.collect() },
      disk: { collect: () => parts.disk.collect() },
      load: { collect: () => parts.load.collect() },
      traffic: { collect: () => parts.traffic.collect() },
      connections: { collect: () => parts.connections.collect() },
      uptime: { collect: () => parts.uptime.collect() },
      processes: { collect: () => parts.processes.collect() },
    },
  );
  return { parts, sampler };
}

Deno.test("Sampler.sample() logs a failure once, and its end once", () => {
  using time = new FakeTime();
  const lines: string[] = [];
  setUpLog({
    level: "info",
    format: "text",
    secrets: [],
    forJournal: true,
    write: (line) => lines.push(line),
  });
  const { parts, sampler } = machine();
  sampler.sample();
  Object.assign(parts, { load: broken });
  time.tick(5_000);
  sampler.sample();
  assertEquals(sampler.sample().failures, ["cannot measure load"]);
  Object.assign(parts, { load: of(undefined) });
  sampler.sample();
  sampler.sample();
  assertEquals(lines, [
    '<4>agent: Cannot measure load: Cannot parse loadavg: "x"',
    "<6>agent: Measuring load works again",
  ]);
});

Deno.test("Sampler.sample() keeps the last value for a minute, and names the failure at once", () => {
  using time = new FakeTime();
  const { parts, sampler } = machine();
  sampler.sample();
  Object.assign(parts, { load: broken });
  for (const [ms, load] of [[6_000, LOAD], [61_000, LOAD], [61_001, undefined]] as const) {
    time.tick(ms - 1_000 - performance.now());
    const snapshot = sampler.sample();
    assertEquals([snapshot.load, snapshot.failures], [load, ["cannot measure load"]], `at ${ms}`);
  }
  Object.assign(parts, { load: WORKING.load });
  assertEquals([sampler.sample().load, sampler.sample().failures], [LOAD, []]);
});

Deno.test("Sampler.sample() measures disk space every 5 s, the load every 3 s, all else each time", () => {
  using time = new FakeTime();
  const { parts, sampler } = machine();
  const measuredAt: Record<string, number[]> = {};
  for (const [key, collector] of Object.entries(WORKING)) {
    const seconds: number[] = measuredAt[key] = [];
    Object.assign(parts, {
      [key]: { collect: () => (seconds.push(performance.now() / 1000), collector.collect()) },
    });
  }
  const all = Array.from({ length: 11 }, (_, second) => second);
  for (const second of all) {
    time.tick(second * 1000 - performance.now());
    sampler.sample();
  }
  const { disk, load, ...others } = measuredAt;
  assertEquals(disk, [0, 5, 10]);
  assertEquals(load, [0, 3, 6, 9]);
  for (const seconds of Object.values(others)) assertEquals(seconds, all);
});

Deno.test("Sampler.sample() keeps every value for a minute, and none for longer", () => {
  using time = new FakeTime();
  const { parts, sampler } = machine();
  const { failures: _, ...values } = sampler.sample();
  for (const key of Object.keys(WORKING)) Object.assign(parts, { [key]: broken });
  time.tick(60_000);
  const { failures, ...kept } = sampler.sample();
  assertEquals(kept, values);
  assertEquals(failures.length, Object.keys(WORKING).length);
  time.tick(1);
  const { failures: still, ...left } = sampler.sample();
  assertEquals(JSON.stringify(left), "{}");
  assertEquals(still, failures);
});

Deno.test("Sampler.sample() has no value to keep when nothing was ever measured", () => {
  const { parts, sampler } = machine();
  Object.assign(parts, { uptime: broken });
  assertEquals(sampler.sample().uptimeSeconds, undefined);
});

Deno.test("Sampler.sample() keeps the values of a failing card for a minute", () => {
  using time = new FakeTime();
  const first = { collect: () => [{ name: "A", usePercent: 1 }] };
  const sampler = new Sampler({
    ...WORKING,
    gpus: [
      { subject: "graphics card A", collector: { collect: () => first.collect() } },
      { subject: "graphics card B", collector: of([{ name: "B", usePercent: 2 }]) },
    ],
  });
  const names = () => sampler.sample().gpus?.map(({ name }) => name);
  assertEquals(names(), ["A", "B"]);
  Object.assign(first, broken);
  time.tick(60_000 - performance.now());
  assertEquals(names(), ["A", "B"]);
  time.tick(60_001 - performance.now());
  assertEquals(names(), ["B"]);
  assertEquals(sampler.sample().failures, ["cannot measure graphics card A"]);
});

Deno.test("takeSnapshot() names a missing part beside the value", () => {
  const load = {
    collect: () => ({ oneMinute: 1, fiveMinutes: 2, fifteenMinutes: 3 }),
    missingPart: () => new Error("Cannot read a part"),
  };
  const seen: string[] = [];
  const onFailure = ({ subject, error }: { subject: string; error: unknown }) => {
    seen.push(`${subject}: ${error instanceof Error ? error.message : ""}`);
  };
  const snapshot = takeSnapshot(collectors({ load }), onFailure);
  assertEquals(snapshot.load?.oneMinute, 1);
  assertEquals(snapshot.failures, ["cannot measure part of load"]);
  assertEquals(seen, ["part of load: Cannot read a part"]);
  const sampler = new Sampler(collectors({ load }));
  assertEquals(sampler.sample().failures, ["cannot measure part of load"]);
});
