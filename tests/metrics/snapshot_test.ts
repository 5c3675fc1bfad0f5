import { assertEquals } from "@std/assert";
import { type Collectors, takeSnapshot } from "../../lib/metrics/snapshot.ts";

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

Deno.test("takeSnapshot() puts all collectors together", () => {
  const usage = { totalBytes: 10, usedBytes: 4 };
  assertEquals(takeSnapshot(collectors()), {
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

Deno.test("takeSnapshot() leaves out what has no data, and calls that no failure", () => {
  const snapshot = takeSnapshot(collectors({ load: of(undefined), memory: of({}) }));
  assertEquals("load" in snapshot || "memory" in snapshot || "swap" in snapshot, false);
  assertEquals(snapshot.failures, []);
});

Deno.test("takeSnapshot() goes on when a collector fails, and names it for the public", () => {
  const seen: unknown[] = [];
  const snapshot = takeSnapshot(collectors({ load: broken }), ({ subject }) => seen.push(subject));
  assertEquals(snapshot.failures, ["cannot measure load"]);
  assertEquals(snapshot.processes, 7);
  assertEquals(seen, ["load"]);
});

Deno.test("takeSnapshot() takes what a failed collector recalls, and names it all the same", () => {
  const recalling = {
    ...broken,
    lastKnown: () => ({ oneMinute: 3, fiveMinutes: 2, fifteenMinutes: 1 }),
  };
  const snapshot = takeSnapshot(collectors({ load: recalling }));
  assertEquals(snapshot.load?.oneMinute, 3);
  assertEquals(snapshot.failures, ["cannot measure load"]);
});

Deno.test("takeSnapshot() puts the graphics cards of all collectors together", () => {
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
