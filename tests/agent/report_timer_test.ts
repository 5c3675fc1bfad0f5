import { assert, assertEquals } from "@std/assert";
import { ReportSchedule, ReportTimer } from "../../lib/agent/report_timer.ts";
import { type Transport, transportName } from "../../lib/panel/transport.ts";
import { same } from "../cases.ts";
import { FakeTime } from "../fake_time.ts";
import { testsWith } from "../tests_with.ts";
import { panelLines } from "../panel/panel_lines.ts";
import { V1_POST, V1_WEBSOCKET, V2_POST, V2_WEBSOCKET } from "../panel/transports.ts";
import fc from "fast-check";

/** A timer on a fake clock; the panel accepts what is due at once. */
class Bench implements Disposable {
  readonly time = new FakeTime();
  readonly timer: ReportTimer;
  /** The reports: by which transport, and when. */
  readonly due: string[] = [];
  /** Whether the panel accepts a report; it may answer later. */
  answer: (transport: Transport) => boolean | Promise<boolean> = () => true;

  constructor(intervalSeconds?: number) {
    this.timer = new ReportTimer(intervalSeconds);
  }

  start = (transport: Transport) =>
    this.timer.start(transport, async () => {
      this.due.push(`${transportName(transport)} ${performance.now()}`);
      return await this.answer(transport);
    });

  [Symbol.dispose](): void {
    using time = this.time;
    this.timer.stop();
    assertEquals(time.timers, 0, "no timer is left");
  }
}

const withTimer = testsWith(() => new Bench());

Deno.test("ReportTimer keeps an interval of its own for each kind of transport", async () => {
  const transports = [V2_WEBSOCKET, V1_WEBSOCKET, V2_POST, V1_POST];
  for (const transport of transports) {
    const isSocket = transport.carrier === "WebSocket";
    const seconds = isSocket ? [[undefined, 3], [1, 1], [60, 10]] : [[undefined, 5], [60, 60]];
    for (const [interval, expected = NaN] of seconds) {
      using bench = new Bench(interval);
      const { time, timer, start, due } = bench;
      start(transport);
      assertEquals(due, [], "the first report is not the timer's to send");
      await time.run(3_000 * expected);
      const times = [1, 2, 3].map((n) => `${transportName(transport)} ${n * expected * 1000}`);
      assertEquals([due, timer.intervalMs(transport)], [times, expected * 1000]);
    }
  }
});

withTimer.test("ReportTimer reports by the transport that was started last alone, and not after stop()", async (bench) => {
  const { time, timer, start, due } = bench;
  start(V2_POST);
  start(V2_WEBSOCKET);
  assertEquals(time.timers, 1);
  await time.run(3_000);
  timer.stop();
  await time.run(60_000);
  assertEquals(due.splice(0), ["v2 WebSocket 3000"]);
  // Again, when it was stopped between two reports, and while one is under way.
  start(V2_WEBSOCKET);
  await time.run(3_000);
  bench.answer = () => (timer.stop(), true);
  start(V2_POST);
  await time.run(60_000);
  assertEquals(due, ["v2 WebSocket 66000", "v2 POST 71000"]);
});

Deno.test("ReportTimer reports every 10 s at most by a WebSocket that pings do not keep, and logs why once", async () => {
  const report = () => Promise.resolve(true);
  await same(
    ([seconds, transport, ...kept]) => {
      const shown: unknown[] = [];
      const lines = panelLines(() => {
        const timer = new ReportTimer(seconds);
        timer.start(transport, report);
        shown.push(timer.isCapped(transport), timer.intervalMs(transport));
        for (const isKept of kept) timer.setKept(isKept);
        shown.push(timer.isCapped(transport), timer.intervalMs(transport));
        timer.start(transport, report);
        shown.push(timer.intervalMs(transport));
        timer.stop();
      });
      const reason =
        "info Reports are sent every 10 s, not every 30 s: this panel closes a WebSocket " +
        "that is silent for 11 s";
      for (const line of lines) assertEquals(line, reason);
      return [...shown, lines.length].join();
    },
    [
      [[30, V2_WEBSOCKET], "true,10000,true,10000,10000,0"],
      [[30, V2_WEBSOCKET, false, false], "true,10000,true,10000,10000,1"],
      [[30, V2_WEBSOCKET, true], "true,10000,false,30000,10000,0"],
      [[10, V2_WEBSOCKET], "false,10000,false,10000,10000,0"],
      [[30, V1_POST], "false,30000,false,30000,30000,0"],
    ] as const,
  );
});

Deno.test("ReportTimer.setKept() goes on with the same reports, at their interval", async () => {
  using bench = new Bench(30);
  const { time, timer, start, due } = bench;
  start(V2_WEBSOCKET);
  await time.run(10_000);
  timer.setKept(true);
  await time.run(60_000);
  assertEquals(due, ["v2 WebSocket 10000", "v2 WebSocket 40000", "v2 WebSocket 70000"]);
});

Deno.test("ReportTimer ignores the end of a report by the former transport", async () => {
  using bench = new Bench(1);
  const { time, start, due } = bench;
  const held = Promise.withResolvers<boolean>();
  bench.answer = ({ carrier }) => carrier === "POST" ? held.promise : true;
  start(V2_POST);
  await time.run(1_500);
  start(V2_WEBSOCKET);
  await time.run(1_200);
  held.resolve(true);
  await time.run(1_000);
  assertEquals(due, ["v2 POST 1000", "v2 WebSocket 2500", "v2 WebSocket 3500"]);
});

Deno.test("ReportTimer slows down when reports fail for long", async () => {
  using bench = new Bench(1);
  const { time, start, due } = bench;
  bench.answer = () => false;
  start(V1_POST);
  await time.run(301_000);
  const eager = due.length;
  await time.run(300_000);
  assertEquals(eager >= 299, true);
  assertEquals(due.length - eager <= 30, true, "30 s apart in the end");
  bench.answer = () => true;
  await time.run(31_000);
  due.length = 0;
  await time.run(10_000);
  assertEquals(due.length, 10);
});

/** A fake clock whose timers are late each time, as the real ones are. */
function lateBy(lateMs: number): FakeTime {
  const time = new FakeTime();
  const { setTimeout } = globalThis;
  globalThis.setTimeout = ((act: () => void, ms: number) => setTimeout(act, ms + lateMs)) as never;
  return time;
}

Deno.test("ReportTimer keeps the rate when its timer fires late each time, and while a report is in flight", async () => {
  using time = lateBy(10);
  const dueMs: number[] = [];
  const held = Promise.withResolvers<boolean>();
  const timer = new ReportTimer(1);
  timer.start(V1_POST, () => {
    dueMs.push(performance.now());
    return dueMs.length === 50 ? held.promise : Promise.resolve(true);
  });
  await time.run(49_500);
  assertEquals(dueMs.length, 49);
  await time.run(3_000);
  assertEquals(dueMs.length, 50, "no report is due while one is in flight");
  held.resolve(true);
  await time.run(48_000);
  for (const ms of dueMs) assert(ms % 1_000 <= 30, `${ms} is ${ms % 1_000} ms late`);
  assert(dueMs.length >= 97);
  timer.stop();
  assertEquals(time.timers, 0);
});

Deno.test("ReportTimer keeps the timers of several panels together, whenever they have started", async () => {
  using time = lateBy(1);
  const due: number[][] = [[], []];
  for (const times of due) {
    const report = () => Promise.resolve(times.push(performance.now()) > 0);
    new ReportTimer(1, 0).start(V2_WEBSOCKET, report);
    await time.run(20_300);
  }
  await time.run(200_000);
  const [first = [], second = []] = due.map((times) => times.filter((ms) => ms > 40_000));
  assert(first.length > 170);
  for (const [index, ms] of first.entries()) {
    assert(Math.abs(ms - (second[index] ?? NaN)) <= 20, `${ms} and ${second[index]}`);
  }
});

const MINUTE = 60_000;
const SUCCEEDED = { succeeded: true, random: 0 };
const FAILED = { succeeded: false, random: 0 };

Deno.test("ReportSchedule keeps the interval for five minutes of failures, slows down to 30 s with jitter, and recovers at once", () => {
  const pace = new ReportSchedule(0, { intervalMs: 1_000 });
  // As much in a second outage as in the first.
  for (const startMs of [0, 61 * MINUTE]) {
    const delays = [0, 2 * MINUTE, 5 * MINUTE - 1, 5 * MINUTE, 5 * MINUTE + 1, 5 * MINUTE + 2]
      .map((ms) => pace.next(startMs + ms, FAILED));
    const atLeast = delays.map((ms) => Math.max(ms, 1_000));
    assertEquals(atLeast, [1_000, 1_000, 1_000, 1_000, 2_000, 4_000]);
    for (let n = 0; n < 9; n++) pace.next(startMs + 6 * MINUTE, FAILED);
    for (const random of [0, 0.5]) {
      const delayMs = pace.next(startMs + 7 * MINUTE, { succeeded: false, random });
      assertEquals(delayMs, 30_000 * (0.5 + random / 2));
    }
    assert(pace.next(startMs + 60 * MINUTE, SUCCEEDED) <= 1_000);
  }
});

Deno.test("ReportSchedule always waits for some time and never longer than it may", () => {
  const steps = fc.array(fc.tuple(fc.boolean(), fc.nat(100_000)), { maxLength: 100 });
  fc.assert(fc.property(fc.integer({ min: 100, max: 70_000 }), steps, (intervalMs, outcomes) => {
    const pace = new ReportSchedule(0, { intervalMs });
    let now = 0;
    for (const [succeeded, tookMs] of outcomes) {
      now += tookMs;
      const delay = pace.next(now, { succeeded, random: 0.7 });
      assert(delay > 0 && delay <= Math.max(intervalMs, 30_000), `${delay}`);
      now += delay;
    }
  }));
});

Deno.test("ReportSchedule keeps the phase of another panel, whatever the time of its start", () => {
  for (const startMs of [5_000, 5_200, 5_499, 5_501, 5_900]) {
    const phaseMs = 1_100;
    const schedule = new ReportSchedule(startMs, { intervalMs: 1_000, phaseMs });
    const firstMs = startMs + schedule.next(startMs, SUCCEEDED);
    assertEquals((firstMs - phaseMs) % 1_000, 0);
    assert(firstMs - startMs >= 500 && firstMs - startMs <= 1_500);
    assertEquals(firstMs + schedule.next(firstMs, SUCCEEDED), firstMs + 1_000);
  }
});
