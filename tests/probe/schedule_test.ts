import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { ProbeTarget } from "../../lib/parse/probe_target.ts";
import { Prober } from "../../lib/probe/prober.ts";
import { AnsweringTargets, ProbeSchedule } from "../../lib/probe/schedule.ts";
import type { Probe, ProbeResult, ProbeTask } from "../../lib/types.ts";
import { FakeTime, timed } from "../fake_time.ts";
import { fakePolicy } from "./fake_names.ts";
import { collectedDebugLog } from "../log/collected_log.ts";
import { sameLater } from "../cases.ts";
import { testsWith } from "../tests_with.ts";

interface Run {
  target: ProbeTarget;
  host: string;
  atMs: number;
  signal: AbortSignal;
  end(valueMs: number | undefined): void;
}

const { random } = Math;

/** A prober whose probes are the test's. */
class FakeProber extends Prober {
  override readonly probe: Prober["probe"];

  constructor(probe: Prober["probe"]) {
    super(undefined, fakePolicy());
    this.probe = probe;
  }
}

/** A schedule in fake time, whose probes end when the test says so, or after `tookMs`. */
class Bench implements Disposable {
  readonly time = new FakeTime();
  readonly runs: Run[] = [];
  readonly results: ProbeResult[] = [];
  readonly schedule: ProbeSchedule;
  tookMs: number | undefined;
  running = 0;

  constructor(options: { tookMs?: number; random?: () => number } = {}) {
    this.tookMs = options.tookMs;
    Math.random = options.random ?? (() => 0.5);
    const prober = new FakeProber((...probe) => this.#probe(...probe));
    this.schedule = new ProbeSchedule(prober, (result) => void this.results.push(result));
  }

  hosts(): string[] {
    return this.runs.map(({ host }) => host);
  }

  async #probe(target: ProbeTarget, { signal }: { signal: AbortSignal }) {
    const { promise, resolve, reject } = Promise.withResolvers<number | undefined>();
    signal.addEventListener("abort", () => reject(signal.reason));
    const host = target.kind === "http" ? target.url.host : target.host;
    this.runs.push({ target, host, atMs: performance.now(), signal, end: resolve });
    this.running++;
    const { tookMs } = this;
    if (tookMs !== undefined) setTimeout(() => resolve(tookMs), tookMs);
    try {
      return await promise;
    } finally {
      this.running--;
    }
  }

  [Symbol.dispose](): void {
    this.schedule.stop();
    this.time[Symbol.dispose]();
    Math.random = random;
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

Deno.test("ProbeSchedule keeps to the turns of an interval: soon even if it is long, a second at least, none made up for", async () => {
  /** When a task starts that has this interval, after what runs; time slept through is below 0. */
  const startsOf = async ([intervalSeconds = 0, ...steps]: readonly number[]) => {
    using bench = new Bench({ tookMs: 1 });
    bench.schedule.update([task(1, { intervalSeconds })]);
    for (const ms of steps) {
      if (ms < 0) bench.time.sleep(-ms);
      else await bench.time.run(ms);
    }
    return bench.runs.map(({ atMs }) => atMs);
  };
  await sameLater(startsOf, [
    [[86_400, 86_460_000], [30_000, 86_430_000]],
    [[9e9, 86_460_000], [30_000]],
    ...[0.01, 0, -5].map((seconds) => [[seconds, 3_400], [500, 1_500, 2_500]] as const),
    [[10, 5_001, -3_600_000, 1, 10_000], [5_000, 3_605_001, 3_615_000]],
    [[10, 14_900, -400, 20_000], [5_000, 15_300, 25_000, 35_000]],
  ]);
});

const withBench = testsWith(() => new Bench());

Deno.test("ProbeSchedule bounds its queue, says so once, and gives who found it full the next turn", async () => {
  const lines = await collectedDebugLog(async () => {
    using bench = new Bench({ random: inOrder() });
    const tasks = Array.from({ length: 1500 }, (_, id) => task(id + 1, { intervalSeconds: 600 }));
    const done = () => new Set(bench.results.map(({ taskId }) => taskId)).size;
    bench.schedule.update(tasks);
    await bench.time.run(120_000);
    // The first sixteen hang; a thousand wait behind them.
    bench.tookMs = 0;
    bench.schedule.update(tasks.slice(16));
    await bench.time.run(7_000);
    assertEquals(done(), 1000);
    await bench.time.run(600_000);
    assertEquals(done(), 1484);
    bench.schedule.stop();
    assertEquals(bench.time.timers, 0);
  });
  assertEquals(lines.length, 1);
  assertMatch(lines[0] ?? "", / warning probe: Too many probes are due/);
});

Deno.test("ProbeSchedule.update() leaves unchanged tasks alone, and one that is slow runs once at a time", async () => {
  using bench = new Bench();
  for (let second = 0; second < 46; second++) {
    bench.schedule.update([task(1), task(2)]);
    await bench.time.run(1000);
    if (second === 30) { for (const run of bench.runs) run.end(7); }
  }
  const turns = [5_000, 35_000].flatMap((ms) => [`host1 ${ms}`, `host2 ${ms}`]);
  assertEquals(bench.runs.map(({ host, atMs }) => `${host} ${atMs}`), turns);
  assertEquals([bench.results.length, bench.time.timers], [2, 1]);
});

Deno.test("ProbeSchedule.update() starts changed tasks anew and ends gone ones, also when they run", async () => {
  const changes: Partial<ProbeTask>[] = [{ target: "a" }, { intervalSeconds: 20 }, { kind: "tcp" }];
  for (const changed of [...changes.map((change) => [task(1, change)]), []]) {
    using bench = new Bench();
    bench.schedule.update([task(1), task(2)]);
    await bench.time.run(5000);
    assertEquals(bench.hosts(), ["host1", "host2"]);
    bench.schedule.update([...changed, task(2)]);
    await bench.time.run(0);
    assertEquals(bench.runs.map(({ signal }) => signal.aborted), [true, false]);
    bench.runs[1]?.end(3);
    await bench.time.run(9000);
    assertEquals(bench.results.map(({ taskId }) => taskId), [2]);
    const anew = changed[0];
    await bench.time.run(1001);
    assertEquals(bench.hosts().slice(2).sort(), [...(anew ? [anew.target] : []), "host2"].sort());
    bench.schedule.update([]);
    await bench.time.run(0);
    assertEquals(bench.time.timers, 0, "nothing is due any more");
  }
});

Deno.test("ProbeSchedule gives -1 for targets that can't be used, and says so once", async () => {
  const lines = await collectedDebugLog(async () => {
    using bench = new Bench({ tookMs: 1 });
    const tasks = [task(1, { target: "-f" }), task(2, { target: "a b" }), task(3)];
    for (let turn = 0; turn < 2; turn++) {
      bench.schedule.update(tasks);
      await bench.time.run(10_000);
    }
    assertEquals(bench.hosts(), ["host3", "host3"]);
    const values = bench.results.map(({ taskId, valueMs }) => `${taskId}: ${valueMs}`).sort();
    assertEquals(values, ["1: -1", "1: -1", "2: -1", "2: -1", "3: 1", "3: 1"]);
  });
  assertEquals(lines.length, 1);
  assertStringIncludes(lines[0] ?? "", 'Cannot parse probe target "-f"');
  assertStringIncludes(lines[0] ?? "", "1 more");
});

Deno.test("ProbeSchedule goes on when a probe or the receiver of results fails", async () => {
  const lines = await collectedDebugLog(async () => {
    using time = new FakeTime();
    const prober = new FakeProber(() => Promise.reject(new Error("a bug")));
    const schedule = new ProbeSchedule(prober, ({ valueMs }) => {
      throw new Error(`another bug at ${valueMs}`);
    });
    schedule.update([task(1)]);
    await time.run(30_000);
    schedule.stop();
  });
  assertEquals(lines.length, 6);
  for (const line of lines) {
    assertMatch(line, / error +probe: Cannot .*: an?(other)? bug( at -1)?$/);
  }
});

withBench.test("ProbeSchedule sends nothing for a probe that was not made", async (bench) => {
  bench.schedule.update([task(1)]);
  bench.schedule.runOnce(order(2));
  await bench.time.run(5_000);
  for (const run of [...bench.runs]) run.end(undefined);
  await bench.time.run(5_000);
  bench.schedule.runOnce(order(2));
  await bench.time.run(5_000);
  for (const run of bench.runs.slice(2)) run.end(3);
  await bench.time.run(0);
  assertEquals(bench.hosts(), ["192.0.2.1", "host1", "192.0.2.1", "host1"]);
  assertEquals(bench.results.map(({ taskId }) => taskId), [2, 1]);
});

withBench.test("ProbeSchedule.stop() ends runs and orders and leaves no timer; nothing comes after it", async (bench) => {
  const lines = await collectedDebugLog(async () => {
    bench.schedule.update(Array.from({ length: 8 }, (_, id) => task(id + 1)));
    await bench.time.run(5000);
    for (let id = 1; id <= 40; id++) bench.schedule.runOnce(order(id));
    await bench.time.run(150);
    assertEquals(bench.running, 16, "half of them ordered");
    bench.schedule.stop();
    await bench.time.run(0);
    assertEquals([bench.running, bench.time.timers], [0, 0]);
    bench.schedule.update([task(99)]);
    bench.schedule.runOnce(order(41));
    await bench.time.run(60_000);
    assertEquals([bench.runs.length, bench.results.length, bench.time.timers], [16, 0, 0]);
  });
  assertEquals(lines, []);
});

Deno.test("ProbeSchedule spreads tasks over their interval, with one timer for all", async () => {
  using bench = new Bench({ random: inOrder(), tookMs: 1 });
  const tasks = Array.from({ length: 1000 }, (_, id) => task(id + 1, { intervalSeconds: 60 }));
  bench.schedule.update(tasks);
  assertEquals(bench.time.timers, 1);
  await bench.time.run(29_999);
  assertEquals(bench.runs.length, 500);
});

function order(id: number): Probe {
  return { id, kind: "tcp", target: "192.0.2.1:443" };
}

Deno.test("ProbeSchedule.runOnce() runs a probe at once, never twice at a time, and gives its result", async () => {
  using bench = new Bench({ tookMs: 12 });
  for (let n = 0; n < 10_000; n++) bench.schedule.runOnce(order(7));
  assertEquals(bench.runs[0]?.target, { kind: "tcp", host: "192.0.2.1", port: 443 });
  await bench.time.run(50);
  assertEquals(bench.results, [{ taskId: 7, kind: "tcp", valueMs: 12, finishedAt: new Date(12) }]);
  bench.schedule.runOnce(order(7));
  await bench.time.run(50);
  assertEquals([bench.runs.length, bench.results.length], [2, 2]);
});

Deno.test("ProbeSchedule.runOnce() bears 10,000 orders: few at a time, no stale ones, one line", async () => {
  const lines = await collectedDebugLog(async () => {
    using bench = new Bench({ tookMs: 3_000 });
    for (let taskId = 1; taskId <= 10_000; taskId++) bench.schedule.runOnce(order(taskId));
    assertEquals(bench.runs.length, 16);
    await bench.time.run(60_000);
    assertEquals(bench.runs.length, 4 * 16, "what has waited for 10 s is not run");
    assertEquals(bench.results.length, 4 * 16);
    // What was dropped can be ordered again.
    for (const taskId of [500, 5_000]) bench.schedule.runOnce(order(taskId));
    await bench.time.run(3_000);
    assertEquals(bench.results.slice(-2).map(({ taskId }) => taskId), [500, 5_000]);
    assertEquals(bench.time.timers, 0);
  });
  assertEquals(lines.length, 1);
  assertMatch(lines[0] ?? "", / warning probe: The panel orders more probes than/);
});

Deno.test("ProbeSchedule starts no more than 16 probes in 100 ms, however short they are", async () => {
  using bench = new Bench({ tookMs: 1 });
  for (let taskId = 1; taskId <= 100; taskId++) bench.schedule.runOnce(order(taskId));
  await bench.time.run(99);
  assertEquals(bench.runs.length, 16);
  await bench.time.run(501);
  assertEquals(bench.runs.length, 100);
  assertEquals(bench.runs.at(-1)?.atMs, 600);
  await bench.time.run(1);
  assertEquals(bench.time.timers, 0);
});

withBench.test("ProbeSchedule takes the first of several targets that answers, and tries no other for ten minutes", async (bench) => {
  const probe = { id: 7, kind: "auto", target: "h" } as const;
  const run = async (...values: number[]) => {
    const before = bench.runs.length;
    bench.schedule.runOnce(probe);
    for (const valueMs of values) {
      await bench.time.run(100);
      bench.runs.at(-1)?.end(valueMs);
    }
    await bench.time.run(100);
    const tried = bench.runs.slice(before).map(({ target }) =>
      target.kind === "tcp" ? target.port : target.kind
    );
    return [tried, bench.results.splice(0).map(({ kind, valueMs }) => [kind, valueMs])];
  };
  assertEquals(await run(-1, -1, -1), [["icmp", 443, 80], [["icmp", -1]]], "none answers");
  assertEquals(await run(-1, 12), [["icmp", 443], [["tcp", 12]]]);
  assertEquals(await run(13), [[443], [["tcp", 13]]]);
  assertEquals(await run(-1), [[443], [["tcp", -1]]], "a loss is one of what answers else");
  await bench.time.run(10 * 60_000);
  assertEquals(await run(4), [["icmp"], [["icmp", 4]]]);
  assertEquals(await run(4), [["icmp"], [["icmp", 4]]]);
});

withBench.test("ProbeSchedule gives two results of a dual probe, and one of the reference", async (bench) => {
  bench.schedule.update([task(1, { kind: "dual", target: "h:22", reference: "r" })]);
  await bench.time.run(5_000);
  for (const valueMs of [-1, 2, 3]) {
    assertEquals(bench.running, 1, "one after another");
    bench.runs.at(-1)?.end(valueMs);
    await bench.time.run(100);
  }
  const results = bench.results.map(({ kind, valueMs, finishedAt, isReference }) =>
    `${kind} ${valueMs} at ${finishedAt.getTime()}${isReference ? ": reference" : ""}`
  );
  assertEquals(results, ["icmp -1 at 5000", "tcp 2 at 5100", "icmp 3 at 5200: reference"]);
  // Its next run is due at its interval.
  await bench.time.run(9_600);
  assertEquals(bench.runs.length, 3);
  await bench.time.run(200);
  assertEquals(bench.runs.length, 4);
});

const choice = (host: string) =>
  [{ kind: "icmp", host }, { kind: "tcp", host, port: 443 }] as const;

timed.test("AnsweringTargets remembers nothing of a single target, and the last 1000 of more", () => {
  const answering = new AnsweringTargets();
  const [only] = choice("h");
  answering.add([only], only);
  assertEquals(answering.toTry([only]), [only]);
  for (let n = 0; n <= 1000; n++) answering.add(choice(`h${n}`), choice(`h${n}`)[0]);
  const known = (n: number) => answering.toTry(choice(`h${n}`)).length === 1;
  assertEquals([known(0), known(1), known(1000)], [false, true, true]);
});
