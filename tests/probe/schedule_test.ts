import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { createClock } from "@sinonjs/fake-timers";
import type { ProbeTarget } from "../../lib/parse/probe_target.ts";
import { ProbeSchedule, type ProbeScheduleOptions } from "../../lib/probe/schedule.ts";
import type { ProbeResult, ProbeTask } from "../../lib/types.ts";
import { collectedLog } from "./collected_log.ts";

interface Run {
  host: string;
  atMs: number;
  signal: AbortSignal;
  end(valueMs: number): void;
}

/** A schedule on a clock of its own, whose probes end when the test says so, or after `tookMs`. */
class Bench {
  readonly clock = createClock();
  readonly runs: Run[] = [];
  readonly results: ProbeResult[] = [];
  readonly schedule: ProbeSchedule;
  running = 0;
  mostRunning = 0;

  constructor(options: { tookMs?: number } & Partial<ProbeScheduleOptions> = {}) {
    this.schedule = new ProbeSchedule({
      probe: (target, { signal }) => this.#probe(target, signal, options.tookMs),
      onResult: (result) => this.results.push(result),
      timers: this.clock,
      monotonicMs: () => this.clock.now,
      wallClock: () => new Date(this.clock.now),
      random: () => 0.5,
      ...options,
    });
  }

  hosts(): string[] {
    return this.runs.map(({ host }) => host);
  }

  async #probe(target: ProbeTarget, signal: AbortSignal, tookMs?: number): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    signal.addEventListener("abort", () => reject(signal.reason));
    const host = target.kind === "http" ? target.url.host : target.host;
    this.runs.push({ host, atMs: this.clock.now, signal, end: resolve });
    this.mostRunning = Math.max(this.mostRunning, ++this.running);
    if (tookMs !== undefined) this.clock.setTimeout(() => resolve(tookMs), tookMs);
    try {
      return await promise;
    } finally {
      this.running--;
    }
  }
}

/** Offsets that put tasks in the order of the list. */
function inOrder(): () => number {
  let calls = 0;
  return () => calls++ / 1000;
}

function task(id: number, changes: Partial<ProbeTask> = {}): ProbeTask {
  return { id, kind: "icmp", target: `host${id}`, intervalSeconds: 10, ...changes };
}

Deno.test("ProbeSchedule runs a task at its interval after a random offset", async () => {
  const bench = new Bench({ tookMs: 20 });
  bench.schedule.update([task(1), task(2, { kind: "tcp", intervalSeconds: 4 })]);
  await bench.clock.tickAsync(15_500);
  assertEquals(bench.runs.map(({ host, atMs }) => [host, atMs]), [
    ["host2", 2000],
    ["host1", 5000],
    ["host2", 6000],
    ["host2", 10_000],
    ["host2", 14_000],
    ["host1", 15_000],
  ]);
  assertEquals(bench.results[0], {
    taskId: 2,
    kind: "tcp",
    valueMs: 20,
    finishedAt: new Date(2020),
  });
  assertEquals(bench.results.length, 6);
  bench.schedule.stop();
});

Deno.test("ProbeSchedule starts tasks with long intervals within a minute", async () => {
  const bench = new Bench({ tookMs: 1 });
  bench.schedule.update([task(1, { intervalSeconds: 86_400 }), task(2, { intervalSeconds: 9e9 })]);
  await bench.clock.tickAsync(60_000);
  assertEquals(bench.hosts(), ["host1", "host2"]);
  await bench.clock.tickAsync(86_400_000);
  assertEquals(bench.hosts(), ["host1", "host2", "host1"]);
  bench.schedule.stop();
});

Deno.test("ProbeSchedule never runs a slow task twice at once", async () => {
  const bench = new Bench();
  bench.schedule.update([task(1)]);
  await bench.clock.tickAsync(40_000);
  assertEquals([bench.runs.length, bench.results.length], [1, 0]);
  bench.runs[0]?.end(7);
  await bench.clock.tickAsync(4_900);
  assertEquals([bench.runs.length, bench.results.length], [1, 1]);
  await bench.clock.tickAsync(200);
  assertEquals(bench.runs.length, 2);
  bench.schedule.stop();
});

Deno.test("ProbeSchedule runs 16 probes at a time, the rest in the order they came, none dropped", async () => {
  const bench = new Bench({ tookMs: 3000, random: inOrder() });
  const tasks = Array.from({ length: 100 }, (_, id) => task(id + 1, { intervalSeconds: 3600 }));
  bench.schedule.update(tasks);
  await bench.clock.tickAsync(60_000);
  assertEquals([bench.mostRunning, bench.results.length], [16, 100]);
  assertEquals(bench.hosts(), tasks.map(({ target }) => target));
  bench.schedule.stop();
});

Deno.test("ProbeSchedule queues a task once, however often its turn comes", async () => {
  const bench = new Bench();
  bench.schedule.update([
    ...Array.from({ length: 16 }, (_, id) => task(id + 1)),
    task(17, { intervalSeconds: 11 }),
  ]);
  await bench.clock.tickAsync(60_000);
  assertEquals(bench.runs.length, 16);
  bench.runs[0]?.end(1);
  bench.runs[1]?.end(1);
  await bench.clock.tickAsync(1);
  assertEquals(bench.hosts().slice(16), ["host17"]);
  bench.schedule.stop();
});

Deno.test("ProbeSchedule bounds its queue, says so once, and gives who found it full the next turn", async () => {
  const lines = await collectedLog(async () => {
    let blocked = true;
    const done = new Set<number>();
    const clock = createClock();
    const schedule = new ProbeSchedule({
      probe: (_, { signal }) =>
        blocked
          ? new Promise((_, reject) =>
            signal.addEventListener("abort", () => reject(signal.reason))
          )
          : Promise.resolve(1),
      onResult: ({ taskId }) => done.add(taskId),
      timers: clock,
      monotonicMs: () => clock.now,
      random: inOrder(),
    });
    const tasks = Array.from({ length: 1500 }, (_, id) => task(id + 1, { intervalSeconds: 600 }));
    schedule.update(tasks);
    await clock.tickAsync(120_000);
    // The first sixteen hang; a thousand wait behind them.
    blocked = false;
    schedule.update(tasks.slice(16));
    await clock.tickAsync(7_000);
    assertEquals(done.size, 1000);
    await clock.tickAsync(600_000);
    assertEquals(done.size, 1484);
    schedule.stop();
    assertEquals(clock.countTimers(), 0);
  });
  assertEquals(lines.length, 1);
  assertStringIncludes(lines[0] ?? "", "miss their turn");
});

Deno.test("ProbeSchedule.update() leaves unchanged tasks alone", async () => {
  const bench = new Bench({ tookMs: 1 });
  for (let second = 0; second < 26; second++) {
    bench.schedule.update([task(1), task(2)]);
    await bench.clock.tickAsync(1000);
  }
  assertEquals(bench.runs.map(({ host, atMs }) => [host, atMs]), [
    ["host1", 5000],
    ["host2", 5000],
    ["host1", 15_000],
    ["host2", 15_000],
    ["host1", 25_000],
    ["host2", 25_000],
  ]);
  assertEquals(bench.clock.countTimers(), 1);
  bench.schedule.stop();
});

Deno.test("ProbeSchedule.update() starts changed tasks anew and ends gone ones, also when they run", async () => {
  const changes: Partial<ProbeTask>[] = [
    { target: "other" },
    { intervalSeconds: 20 },
    { kind: "tcp" },
  ];
  for (const changed of [...changes.map((change) => [task(1, change)]), []]) {
    const bench = new Bench();
    bench.schedule.update([task(1), task(2)]);
    await bench.clock.tickAsync(5000);
    assertEquals(bench.hosts(), ["host1", "host2"]);
    bench.schedule.update([...changed, task(2)]);
    await bench.clock.tickAsync(0);
    assertEquals(bench.runs.map(({ signal }) => signal.aborted), [true, false]);
    bench.runs[1]?.end(3);
    await bench.clock.tickAsync(9000);
    assertEquals(bench.results.map(({ taskId }) => taskId), [2]);
    const anew = changed[0];
    await bench.clock.tickAsync(1001);
    assertEquals(
      bench.hosts().slice(2).sort(),
      [...(anew ? [anew.target] : []), "host2"].sort(),
    );
    bench.schedule.stop();
  }
});

Deno.test("ProbeSchedule.update() takes queued tasks that are gone out of the queue", async () => {
  const bench = new Bench({ random: inOrder() });
  const tasks = Array.from({ length: 20 }, (_, id) => task(id + 1));
  bench.schedule.update(tasks);
  await bench.clock.tickAsync(5000);
  bench.schedule.update(tasks.slice(0, 17));
  for (const run of [...bench.runs]) run.end(1);
  await bench.clock.tickAsync(100);
  assertEquals(bench.hosts().slice(16), ["host17"]);
  bench.schedule.stop();
});

Deno.test("ProbeSchedule gives -1 for targets that can't be used, and says so once", async () => {
  const lines = await collectedLog(async () => {
    const bench = new Bench({ tookMs: 1 });
    const tasks = [task(1, { target: "-f" }), task(2, { target: "a b" }), task(3)];
    for (let turn = 0; turn < 2; turn++) {
      bench.schedule.update(tasks);
      await bench.clock.tickAsync(10_000);
    }
    assertEquals(bench.hosts(), ["host3", "host3"]);
    assertEquals(
      bench.results.map(({ taskId, valueMs }) => [taskId, valueMs]).sort(),
      [[1, -1], [1, -1], [2, -1], [2, -1], [3, 1], [3, 1]],
    );
    bench.schedule.stop();
  });
  assertEquals(lines.length, 1);
  assertStringIncludes(lines[0] ?? "", 'Cannot parse probe target "-f"');
  assertStringIncludes(lines[0] ?? "", "1 more");
});

Deno.test("ProbeSchedule goes on when a probe or the receiver of results fails", async () => {
  let failures = 0;
  const lines = await collectedLog(async () => {
    const bench = new Bench({
      probe: () => Promise.reject(new Error("a bug")),
      onResult: ({ valueMs }) => {
        assertEquals(valueMs, -1);
        failures++;
        throw new Error("another bug");
      },
    });
    bench.schedule.update([task(1)]);
    await bench.clock.tickAsync(25_000);
    bench.schedule.stop();
  });
  assertEquals([failures, lines.length], [3, 6]);
});

Deno.test("ProbeSchedule does not make up for turns that were slept through", async () => {
  const bench = new Bench({ tookMs: 1 });
  let sleptMs = 0;
  const schedule = new ProbeSchedule({
    probe: () => Promise.resolve(1),
    onResult: (result) => bench.results.push(result),
    timers: bench.clock,
    monotonicMs: () => bench.clock.now + sleptMs,
    random: () => 0.5,
  });
  schedule.update([task(1)]);
  await bench.clock.tickAsync(5000);
  sleptMs = 3_600_000;
  await bench.clock.tickAsync(10_000);
  assertEquals(bench.results.length, 2);
  await bench.clock.tickAsync(10_000);
  assertEquals(bench.results.length, 3);
  schedule.stop();
});

Deno.test("ProbeSchedule.stop() ends runs and leaves no timer; nothing comes after it", async () => {
  const bench = new Bench();
  bench.schedule.update(Array.from({ length: 30 }, (_, id) => task(id + 1)));
  await bench.clock.tickAsync(5000);
  assertEquals(bench.running, 16);
  bench.schedule.stop();
  await bench.clock.tickAsync(0);
  assertEquals([bench.running, bench.clock.countTimers()], [0, 0]);
  bench.schedule.update([task(99)]);
  await bench.clock.tickAsync(60_000);
  assertEquals([bench.runs.length, bench.results.length, bench.clock.countTimers()], [16, 0, 0]);
});

Deno.test("ProbeSchedule spreads tasks over their interval, with one timer for thousands", async () => {
  let seed = 1;
  const random = () => (seed = seed * 16_807 % 2_147_483_647) / 2_147_483_647;
  const bench = new Bench({ random, tookMs: 1 });
  const tasks = Array.from({ length: 10_000 }, (_, id) => task(id + 1, { intervalSeconds: 60 }));
  bench.schedule.update(tasks);
  assertEquals(bench.clock.countTimers(), 1);
  const counts: number[] = [];
  for (let slice = 0; slice < 6; slice++) {
    const before = bench.runs.length;
    await bench.clock.tickAsync(10_000);
    counts.push(bench.runs.length - before);
  }
  assertEquals(new Set(bench.hosts()).size, bench.runs.length);
  for (const count of counts) assert(count > 1400 && count < 1900, `${counts}`);
  bench.schedule.stop();
});
