import { assertEquals } from "@std/assert";
import { setUpLog } from "../../lib/log/log.ts";
import type { ProbeTarget } from "../../lib/parse/probe_target.ts";
import { Prober } from "../../lib/probe/prober.ts";
import { AnsweringTargets, ProbeSchedule } from "../../lib/probe/schedule.ts";
import type { ProbeKind, ProbeResult, ProbeTask } from "../../lib/types.ts";
import { FakeTime, timed } from "../fake_time.ts";
import { testScripts } from "../panel/scripts.ts";
import { fakePolicy } from "./fake_names.ts";

const { random } = Math;

const nowSeconds = () => performance.now() / 1000;

/** A schedule in fake time, whose probes end when a script says so, or after `tookMs`. */
class Bench implements AsyncDisposable {
  readonly time = new FakeTime();
  readonly log: string[] = [];
  readonly schedule: ProbeSchedule;
  tookMs: number | undefined;
  /** What the next probes give at once. */
  values: number[] = [];
  /** Whether probes and the receiver of results fail. */
  isBroken = false;
  /** The probes under way, and what ends them. */
  readonly running = new Map<(valueMs: number | undefined) => void, string>();
  /** How many have begun, and the tasks that have had a result. */
  runs = 0;
  readonly done = new Set<number>();
  /** What has begun, and what was given, since the last look. */
  readonly starts: string[] = [];
  readonly results: string[] = [];

  constructor() {
    Math.random = () => 0.5;
    const shared = { format: "text", secrets: [], forJournal: false } as const;
    setUpLog({ ...shared, level: "debug", write: (line) => this.log.push(line) });
    const probe: Prober["probe"] = (target, { signal }) => this.#probe(target, signal);
    const prober = Object.assign(new Prober(undefined, fakePolicy()), { probe });
    this.schedule = new ProbeSchedule(prober, (result) => this.#take(result));
  }

  async #probe(target: ProbeTarget, signal: AbortSignal): Promise<number | undefined> {
    if (this.isBroken) throw new Error("a bug");
    const { promise, resolve, reject } = Promise.withResolvers<number | undefined>();
    signal.addEventListener("abort", () => reject(signal.reason));
    const host = target.kind === "http" ? target.url.host : target.host;
    const what = target.kind === "tcp" ? `${host}:${target.port}` : host;
    this.running.set(resolve, what);
    this.starts.push(`${what} ${nowSeconds()}`);
    this.runs++;
    const { tookMs, values: [value] } = this;
    if (tookMs !== undefined) setTimeout(() => resolve(tookMs), tookMs);
    if (value !== undefined) resolve(this.values.shift());
    return await promise.finally(() => this.running.delete(resolve));
  }

  #take({ taskId, kind, valueMs, finishedAt, isReference }: ProbeResult): void {
    if (this.isBroken) throw new Error(`another bug at ${valueMs}`);
    this.done.add(taskId);
    const what = isReference ? `${taskId} reference` : taskId;
    this.results.push(`${what}: ${kind} ${valueMs} at ${finishedAt.getTime() / 1000}`);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.schedule.stop();
    this.time[Symbol.dispose]();
    Math.random = random;
    return Promise.resolve();
  }
}

/** Tasks as `1, 2-9 tcp host 60 reference`: one or many, with kind, target, seconds and reference. */
function tasksOf(text: string): ProbeTask[] {
  return text.split(", ").filter((words) => words !== "").flatMap((words) => {
    const [ids = "", kind = "icmp", target, seconds = "10", reference] = words.split(" ");
    const [first = 0, last = first] = ids.split("-").map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => {
      const task = { id: first + index, kind: kind as ProbeKind, intervalSeconds: Number(seconds) };
      return { ...task, target: target ?? `host${task.id}`, ...reference && { reference } };
    });
  });
}

testScripts(
  `
starts soon even if its interval is long
  takes 1; tasks 1 icmp h 86400; 86460 s; ran = h 30, h 86430
bears an interval that is longer than any timer's
  takes 1; tasks 1 icmp h 9000000000; 86460 s; ran = h 30
takes a second for the shortest interval
  takes 1; tasks 1 icmp h 0.01; 2 s; ran = h 0.5, h 1.5; tasks 1 icmp i 0; 2 s; ran = i 2.5, i 3.5
  tasks 1 icmp j -5; 2 s; ran = j 4.5, j 5.5
does not make up for turns that it has slept through
  takes 1; tasks 1; 5.001 s; sleep 3600; 0.001 s; 10 s; ran = host1 5, host1 3605.001, host1 3615
keeps to its turns when one was late
  takes 1; tasks 1; 14.9 s; sleep 0.4; 20 s; ran = host1 5, host1 15.3, host1 25, host1 35
spreads tasks over their interval, with one timer for all
  in-order; takes 1; tasks 1-1000 icmp h 60; timers = 1; 29.999 s; runs = 500
bounds its queue, says so once, and gives who found it full the next turn
  in-order; tasks 1-1500 icmp h 600; 120 s; busy = 16; takes 0; tasks 17-1500 icmp h 600; 25 s; done = 1000
  600 s; done = 1484; stop; timers = 0; lines = 1; said 1: warning probe: Too many probes are due
leaves unchanged tasks alone, and runs one that is slow once at a time
  (tasks 1, 2; 1 s)×31; end 7; (tasks 1, 2; 1 s)×15; ran = host1 5, host2 5, host1 35, host2 35
  results = 1: icmp 7 at 31, 2: icmp 7 at 31; timers = 1
starts changed tasks anew and ends gone ones, also when they run
  tasks 1, 2; 5 s; ran = host1 5, host2 5
  tasks 1 icmp a, 2; 0 s; running = host2; end 3; 11 s; ran = a 10, host2 15; results = 2: icmp 3 at 5
  tasks 1 icmp a 20, 2; 0 s; running = host2; end 4; 10 s; ran = host2 25, a 26; results = 2: icmp 4 at 16
  tasks 1 tcp a 20, 2; 0 s; running = host2; end 5; 10 s; ran = host2 35, a:80 36; results = 2: icmp 5 at 26
  tasks 2; 0 s; running = host2; end 6; 30 s; ran = host2 45; tasks; 0 s; running =; timers = 0
gives -1 for targets that can't be used, and says so once
  takes 1; (tasks 1 icmp -f, 2 icmp a@b 12, 3 icmp h 14; 11 s)×2; ran = h 7, h 21
  results = 1: icmp -1 at 5, 2: icmp -1 at 6, 3: icmp 1 at 7.001, 1: icmp -1 at 15, 2: icmp -1 at 18, 3: icmp 1 at 21.001
  lines = 1; said 1: Cannot parse probe target "-f"; said 1: 1 more
goes on when a probe or the receiver of results fails
  broken; tasks 1; 30 s; lines = 6; said 3: error   probe: Cannot run a probe: a bug
  said 3: error   probe: Cannot deliver a probe's result: another bug at -1
sends nothing for a probe that was not made
  tasks 1; order 2 tcp h:443; 5 s; end; 5 s; order 2 tcp h:443; 5 s; end 3; 0 s
  ran = h:443 0, host1 5, h:443 10, host1 15; results = 2: tcp 3 at 15, 1: icmp 3 at 15
ends runs and orders and leaves no timer when it is stopped; nothing comes after it
  tasks 1-8; 5 s; order 1-40 tcp h:443; 0.15 s; busy = 16; stop; 0 s; busy = 0; timers = 0
  tasks 99; order 41 tcp h:443; 60 s; runs = 16; results =; timers = 0; lines = 0
runs an order at once, never twice at a time, and gives its result
  takes 12; order 7 tcp h:443, 7 tcp h:443; 0.05 s; order 7 tcp h:443; 0.05 s
  ran = h:443 0, h:443 0.05; results = 7: tcp 12 at 0.012, 7: tcp 12 at 0.062
bears 10,000 orders: few at a time, no stale ones, which can be ordered again, one line
  takes 3000; order 1-10000 tcp h:443; busy = 16; 60 s; runs = 64; done = 64; order 500 tcp h:443, 5000 tcp h:443
  3 s; done = 66; timers = 0; lines = 1; said 1: warning probe: The panel orders more probes than
starts no more than 16 probes in 400 ms, however short they are
  takes 1; order 1-100 tcp h:443; 0.399 s; runs = 16; 2 s; runs = 96; 0.001 s; runs = 100; 0.002 s; timers = 0
takes the first of several targets that answers, and tries no other for ten minutes
  gives -1 -1 -1; order 7 auto h; 1 s; ran = h 0, h:443 0, h:80 0; results = 7: icmp -1 at 0
  gives -1 12; order 7 auto h; 1 s; ran = h 1, h:443 1; results = 7: tcp 12 at 1
  gives 13; order 7 auto h; 1 s; ran = h:443 2; results = 7: tcp 13 at 2
  gives -1; order 7 auto h; 597 s; ran = h:443 3; results = 7: tcp -1 at 3
  gives 14; order 7 auto h; 1 s; ran = h:443 600; results = 7: tcp 14 at 600
  (gives 4; order 7 auto h; 1 s)×2; ran = h 601, h 602; results = 7: icmp 4 at 601, 7: icmp 4 at 602
gives two results of a dual probe, and one of the reference
  tasks 1 dual h:22 10 r; 5 s; busy = 1; end -1; 0.1 s; busy = 1; end 2; 0.1 s; busy = 1; end 3; 0.1 s; busy = 0
  ran = h 5, h:22 5, r 5.1; results = 1: icmp -1 at 5, 1: tcp 2 at 5.1, 1 reference: icmp 3 at 5.2; 9.699 s; runs = 3
  0.001 s; runs = 4
`,
  {
    steps: {
      tasks: ({ schedule }, text) => schedule.update(tasksOf(text)),
      order: ({ schedule }, text) => tasksOf(text).forEach((order) => schedule.runOnce(order)),
      takes: (bench, ms) => bench.tookMs = Number(ms),
      gives: (bench, values) => bench.values = values.split(" ").map(Number),
      broken: (bench) => bench.isBroken = true,
      /** Offsets that put tasks in the order of the list. */
      "in-order": () => {
        let calls = 0;
        Math.random = () => calls++ / 1000;
      },
      /** Ends all probes under way; those that were not made, without a value. */
      end: ({ running }, ms) =>
        [...running.keys()].forEach((end) => end(ms === "" ? undefined : Number(ms))),
      sleep: ({ time }, seconds) => time.sleep(Number(seconds) * 1000),
      stop: ({ schedule }) => schedule.stop(),
    },
    facts: {
      ran: ({ starts }) => starts.splice(0).join(", "),
      results: ({ results }) => results.splice(0).join(", "),
      running: ({ running }) => [...running.values()].join(" "),
      busy: ({ running }) => running.size,
      runs: ({ runs }) => runs,
      done: ({ done }) => done.size,
      timers: ({ time }) => time.timers,
      lines: ({ log }) => log.length,
    },
    run: ({ time }, ms) => time.run(ms),
    log: ({ log }) => log,
  },
  { subject: "ProbeSchedule", make: () => new Bench() },
);

const choice = (host: string) =>
  [{ kind: "icmp", host }, { kind: "tcp", host, port: 443 }] as const;

timed.test("AnsweringTargets remembers the last 1000 choices", () => {
  const answering = new AnsweringTargets();
  for (let n = 0; n <= 1000; n++) answering.add(choice(`h${n}`), choice(`h${n}`)[0]);
  const known = (n: number) => answering.toTry(choice(`h${n}`)).length === 1;
  assertEquals([known(0), known(1), known(1000)], [false, true, true]);
});
