import { assertEquals } from "@std/assert";
import { setUpLog } from "../../lib/log/log.ts";
import { Sampler } from "../../lib/metrics/monitored_snapshot.ts";
import type { Collectors } from "../../lib/metrics/snapshot.ts";

function of<T>(value: T): { collect(): T } {
  return { collect: () => value };
}

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

const broken = {
  collect(): never {
    throw new SyntaxError('Cannot parse loadavg: "x"');
  },
};

/** A machine whose collectors can be exchanged, and whose clock stands until it is set. */
function machine() {
  const parts = { ...WORKING };
  const clock = { ms: 1000 };
  const measuring = new Sampler(
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
    { monotonicMs: () => clock.ms },
  );
  return { parts, clock, measuring };
}

Deno.test("Sampler.sample() says once that something can't be measured, and once that it can", () => {
  const lines: string[] = [];
  setUpLog({
    level: "info",
    format: "text",
    secrets: [],
    forJournal: true,
    write: (line) => lines.push(line),
  });
  const { parts, measuring } = machine();
  measuring.sample();
  Object.assign(parts, { load: broken });
  measuring.sample();
  assertEquals(measuring.sample().failures, ["cannot measure load"]);
  Object.assign(parts, { load: of(undefined) });
  measuring.sample();
  measuring.sample();
  assertEquals(lines, [
    '<4>agent: Cannot measure load: Cannot parse loadavg: "x"',
    "<6>agent: Measuring load again",
  ]);
});

Deno.test("Sampler.sample() keeps the last value for a minute, and names the failure at once", () => {
  const { parts, clock, measuring } = machine();
  measuring.sample();
  Object.assign(parts, { load: broken });
  for (const [ms, load] of [[1000, LOAD], [61_000, LOAD], [61_001, undefined]] as const) {
    clock.ms = ms;
    const snapshot = measuring.sample();
    assertEquals([snapshot.load, snapshot.failures], [load, ["cannot measure load"]], `at ${ms}`);
  }
  Object.assign(parts, { load: WORKING.load });
  assertEquals([measuring.sample().load, measuring.sample().failures], [LOAD, []]);
});

Deno.test("Sampler.sample() keeps every value for a minute, and none for longer", () => {
  const { parts, clock, measuring } = machine();
  const { failures: _, ...values } = measuring.sample();
  for (const key of Object.keys(WORKING)) Object.assign(parts, { [key]: broken });
  clock.ms += 60_000;
  const { failures, ...kept } = measuring.sample();
  assertEquals(kept, values);
  assertEquals(failures.length, Object.keys(WORKING).length);
  clock.ms += 1;
  const { failures: still, ...left } = measuring.sample();
  assertEquals([left, still], [{}, failures]);
});

Deno.test("Sampler.sample() has nothing to keep when nothing was ever measured", () => {
  const { parts, measuring } = machine();
  Object.assign(parts, { uptime: broken });
  assertEquals("uptimeSeconds" in measuring.sample(), false);
});

Deno.test("Sampler.sample() keeps a card that fails for a minute, beside those that don't", () => {
  const clock = { ms: 0 };
  const first = { collect: () => [{ name: "A", usePercent: 1 }] };
  const measuring = new Sampler({
    ...WORKING,
    gpus: [
      { subject: "graphics card A", collector: { collect: () => first.collect() } },
      { subject: "graphics card B", collector: of([{ name: "B", usePercent: 2 }]) },
    ],
  }, { monotonicMs: () => clock.ms });
  const names = () => measuring.sample().gpus?.map(({ name }) => name);
  assertEquals(names(), ["A", "B"]);
  Object.assign(first, broken);
  clock.ms = 60_000;
  assertEquals(names(), ["A", "B"]);
  clock.ms = 60_001;
  assertEquals(names(), ["B"]);
  assertEquals(measuring.sample().failures, ["cannot measure graphics card A"]);
});
