import { assert, assertEquals } from "@std/assert";
import { ReportTimer } from "../../lib/panel/report_timer.ts";
import { type Transport, transportName } from "../../lib/panel/transport.ts";
import { FakeTime } from "../fake_time.ts";
import { V1_POST, V1_WEBSOCKET, V2_POST, V2_WEBSOCKET } from "./transports.ts";

/** A timer on a fake time; what is due is sent at once, and goes well as long as `goesWell`. */
function withTimer(
  intervalMs: number | undefined,
  use: (bench: {
    time: FakeTime;
    timer: ReportTimer;
    due: string[];
    clamped: () => number;
    outcome: { goesWell: boolean };
  }) => void,
): void {
  using time = new FakeTime();
  const due: string[] = [];
  let clamps = 0;
  const outcome = { goesWell: true };
  const timer = new ReportTimer({
    intervalMs,
    phaseMs: undefined,
    onClamp: () => clamps++,
    onDue: (transport) => {
      due.push(`${transportName(transport)} ${performance.now()}`);
      timer.next(transport, outcome.goesWell);
    },
  });
  use({ time, timer, due, clamped: () => clamps, outcome });
  timer.start(undefined);
  assertEquals(time.timers, 0, "no timer is left");
}

Deno.test("ReportTimer keeps an interval of its own for each kind of transport", () => {
  const cases: [Transport, number | undefined, number][] = [
    [V2_WEBSOCKET, undefined, 3_000],
    [V1_WEBSOCKET, undefined, 3_000],
    [V2_POST, undefined, 5_000],
    [V1_POST, undefined, 5_000],
    [V2_WEBSOCKET, 1_000, 1_000],
    [V2_WEBSOCKET, 10_000, 10_000],
    [V1_POST, 60_000, 60_000],
  ];
  for (const [transport, intervalMs, expectedMs] of cases) {
    withTimer(intervalMs, ({ time, timer, due, clamped }) => {
      timer.start(transport);
      assertEquals(time.timers, 0, "the first report is not the timer's to send");
      timer.next(transport, true);
      time.tick(3 * expectedMs);
      assertEquals(due, [1, 2, 3].map((n) => `${transportName(transport)} ${n * expectedMs}`));
      assertEquals(clamped(), 0);
    });
  }
});

Deno.test("ReportTimer clamps the interval of a WebSocket", () => {
  withTimer(60_000, ({ time, timer, due, clamped }) => {
    timer.start(V2_WEBSOCKET);
    timer.next(V2_WEBSOCKET, true);
    time.tick(20_000);
    assertEquals(due, ["v2 WebSocket 10000", "v2 WebSocket 20000"]);
    assertEquals(clamped(), 1);
  });
});

Deno.test("ReportTimer.start() stops the timer of the former transport", () => {
  withTimer(undefined, ({ time, timer, due }) => {
    timer.start(V2_POST);
    timer.next(V2_POST, true);
    timer.start(V2_WEBSOCKET);
    timer.next(V2_POST, true);
    assertEquals(time.timers, 0);
    timer.next(V2_WEBSOCKET, true);
    time.tick(3_000);
    assertEquals(due, ["v2 WebSocket 3000"]);
    timer.start(undefined);
    timer.next(V2_WEBSOCKET, true);
    time.tick(60_000);
    assertEquals(due, ["v2 WebSocket 3000"]);
  });
});

Deno.test("ReportTimer.next() has one timer, however many reports are in flight", () => {
  withTimer(undefined, ({ time, timer }) => {
    timer.start(V2_WEBSOCKET);
    for (let n = 0; n < 5; n++) timer.next(V2_WEBSOCKET, true);
    assertEquals(time.timers, 1);
  });
});

Deno.test("ReportTimer slows down when reports fail for long", () => {
  withTimer(1_000, ({ time, timer, due, outcome }) => {
    outcome.goesWell = false;
    timer.start(V1_POST);
    timer.next(V1_POST, false);
    time.tick(300_000);
    const eager = due.length;
    time.tick(300_000);
    assertEquals(eager >= 299, true);
    assertEquals(due.length - eager <= 30, true, "30 s apart in the end");
    outcome.goesWell = true;
    time.tick(31_000);
    due.length = 0;
    time.tick(10_000);
    assertEquals(due.length, 10);
  });
});

/** Runs a test on a fake time whose repeating timers are late each time, as the runtime's are. */
function withLateTimers(lateMs: number, use: (time: FakeTime) => void): void {
  using time = new FakeTime();
  const { setInterval } = globalThis;
  globalThis.setInterval =
    ((act: () => void, ms: number) => setInterval(act, ms + lateMs)) as never;
  use(time);
  assertEquals(time.timers, 0);
}

Deno.test("ReportTimer keeps the rate when its timer fires late each time, and while a report is in flight", () => {
  withLateTimers(10, (time) => {
    const dueMs: number[] = [];
    const timer = new ReportTimer({
      intervalMs: 1_000,
      phaseMs: undefined,
      onClamp() {},
      onDue() {
        dueMs.push(performance.now());
        if (dueMs.length !== 50) timer.next(V1_POST, true);
      },
    });
    timer.start(V1_POST);
    timer.next(V1_POST, true);
    time.tick(49_500);
    assertEquals(dueMs.length, 49);
    time.tick(3_000);
    assertEquals(dueMs.length, 50, "no report is due while one is in flight");
    timer.next(V1_POST, true);
    time.tick(48_000);
    for (const ms of dueMs) assert(ms % 1_000 <= 60, `${ms} is ${ms % 1_000} ms late`);
    assert(dueMs.length >= 97);
    timer.start(undefined);
  });
});

Deno.test("ReportTimer keeps the timers of several panels together, whenever they have started", () => {
  withLateTimers(1, (time) => {
    const due: number[][] = [];
    const timers = [0, 1].map((panel) => {
      due.push([]);
      const timer = new ReportTimer({
        intervalMs: 1_000,
        phaseMs: 0,
        onClamp() {},
        onDue() {
          due[panel]?.push(performance.now());
          timer.next(V2_WEBSOCKET, true);
        },
      });
      return timer;
    });
    for (const timer of timers) {
      timer.start(V2_WEBSOCKET);
      timer.next(V2_WEBSOCKET, true);
      time.tick(20_300);
    }
    time.tick(200_000);
    const [first = [], second = []] = due.map((times) => times.filter((ms) => ms > 40_000));
    assert(first.length > 170);
    assertEquals(first, second);
    for (const timer of timers) timer.start(undefined);
  });
});
