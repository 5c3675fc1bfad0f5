import { assertEquals, assertRejects } from "@std/assert";
import { delay } from "@std/async/delay";
import { measure } from "../../lib/probe/measure.ts";
import type { ProbeKind } from "../../lib/types.ts";
import { FakeTime, timed } from "../fake_time.ts";

const KINDS: readonly ProbeKind[] = ["icmp", "tcp", "http"];

type Try = number | "fails";

/** Runs tries with the given values; the result, -1 for lost, and how many tries there were. */
async function play(kind: ProbeKind, tries: readonly Try[]): Promise<[number, number]> {
  using time = new FakeTime();
  let count = 0;
  const exactMs = await measure(() => {
    const value = tries[count++];
    if (value === undefined) throw new Error("one try too many");
    return value === "fails" ? Promise.reject(new Error("refused")) : Promise.resolve(value);
  }, { kind, signal: new AbortController().signal }).catch(() => -1);
  assertEquals(time.timers, 0);
  return [Math.floor(exactMs), count];
}

Deno.test("measure() keeps the official rule", async () => {
  const table: [ProbeKind[], Try[], number, number][] = [
    // kinds, values of the tries, result, tries made
    [[...KINDS], [12.9], 12, 1],
    [[...KINDS], [0], 0, 1],
    [[...KINDS], [0.04], 0, 1],
    [[...KINDS], [1000], 1000, 1],
    [[...KINDS], [1000.9], 1000, 1],
    [[...KINDS], ["fails"], -1, 1],
    [[...KINDS], [1001, 1000], 1000, 2],
    [[...KINDS], [1500, 700], 700, 2],
    [["icmp", "http"], [1500, 699], 699, 2],
    [["tcp"], [1500, 699], -1, 2],
    [["tcp"], [1020, 20], -1, 2],
    [["icmp", "http"], [1020, 20], 20, 2],
    [["tcp"], [1500, 1499, 700], 700, 3],
    [["tcp"], [2900, 1100, 950], -1, 3],
    [[...KINDS], [1500, 1400, 1300, 900], 900, 4],
    [[...KINDS], [1500, 1400, 1300, 1200], -1, 4],
    [[...KINDS], [1500, "fails"], -1, 2],
    [[...KINDS], [1500, 1500, "fails"], -1, 3],
    [[...KINDS], [1500, 1500, 1500, "fails"], -1, 4],
    [[...KINDS], [NaN], -1, 1],
    [[...KINDS], [-5], -1, 1],
  ];
  for (const [kinds, tries, result, made] of table) {
    for (const kind of kinds) {
      assertEquals(await play(kind, tries), [result, made], `${kind} ${tries}`);
    }
  }
});

timed.test("measure() gives up a try after 3 s and tells it so", async (time) => {
  let told: unknown;
  const measured = measure(({ measured }) =>
    measured((limit) => {
      limit.addEventListener("abort", () => told = limit.reason);
      return new Promise(() => {});
    }), { kind: "tcp", signal: new AbortController().signal });
  time.tick(2999);
  assertEquals([told, time.timers], [undefined, 1]);
  time.tick(1);
  await assertRejects(() => measured, Error, "No answer within 3000 ms");
  assertEquals(time.timers, 0);
  assertEquals(told instanceof DOMException && told.name, "TimeoutError");
});

timed.test("measure() gives each try its own 3 s", async (time) => {
  const values = [2500, 2500, 2500, 900];
  const measured = measure(({ measured }) =>
    measured(() => {
      const value = values.shift() ?? 0;
      return delay(value).then(() => value);
    }), { kind: "icmp", signal: new AbortController().signal });
  assertEquals(await time.until(measured, { withinMs: 20_000, stepMs: 100 }), 8400);
  assertEquals(await measured, 900);
});

timed.test("measure() lets the time-out stand still while a try does not measure", async (time) => {
  const measured = measure(async ({ signal, measured }) => {
    for (let count = 0; count < 3; count++) {
      assertEquals(await measured((limit) => delay(900, { signal: limit }).then(() => 7)), 7);
      await delay(60_000, { signal });
    }
    await assertRejects(() => measured(() => Promise.reject(new Error("refused"))), Error);
    await measured((limit) => delay(1000, { signal: limit }));
    return 1;
  }, { kind: "http", signal: new AbortController().signal });
  let isOver = false;
  measured.catch(() => isOver = true);
  await time.run(182_999);
  assertEquals(isOver, false);
  await time.run(1);
  await assertRejects(() => measured, Error, "No answer within 3000 ms");
  assertEquals(time.timers, 0);
});

timed.test("measure() rejects with the signal's reason when it aborts, and leaves no timer", async (time) => {
  for (const isMeasured of [true, false]) {
    const controller = new AbortController();
    let told = false;
    const measured = measure(({ signal, measured }) => {
      const wait = (signal: AbortSignal) => {
        signal.addEventListener("abort", () => told = true);
        return new Promise<number>(() => {});
      };
      return isMeasured ? measured(wait) : wait(signal);
    }, { kind: "http", signal: controller.signal });
    controller.abort(new Error("enough"));
    await assertRejects(() => measured, Error, "enough");
    assertEquals([told, time.timers], [true, 0]);
    const late = measure(() => Promise.resolve(1), { kind: "tcp", signal: controller.signal });
    await assertRejects(() => late, Error, "enough");
  }
});

Deno.test("measure() leaves no listener on its signal, which may outlive thousands of probes", async () => {
  const { signal } = new AbortController();
  const listeners = new Set<unknown>();
  signal.addEventListener = (_: string, listener: unknown) => listeners.add(listener);
  signal.removeEventListener = (_: string, listener: unknown) => listeners.delete(listener);
  await measure(async ({ measured }) => {
    const value = await measured(() => Promise.resolve(1));
    assertEquals(listeners.size, 1);
    return value;
  }, { kind: "tcp", signal });
  const failing = measure(() => Promise.reject(new Error("refused")), { kind: "tcp", signal });
  await assertRejects(() => failing, Error, "refused");
  assertEquals(listeners.size, 0);
});
