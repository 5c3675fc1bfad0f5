import { assertEquals, assertRejects } from "@std/assert";
import { settlesWithin, withTimeout } from "../../lib/async/timeout.ts";
import { timed } from "../fake_time.ts";
import { countedSignal } from "../panel/counted_signal.ts";

function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(new Error("the socket's own words")));
  });
}

timed.test("withTimeout() gives the result and leaves no timer", async (time) => {
  const { signal } = new AbortController();
  const limit = { timeoutMs: 1000, signal };
  assertEquals(await withTimeout(() => Promise.resolve(7), limit), 7);
  assertEquals(time.timers, 0);
  await assertRejects(() => withTimeout(() => Promise.reject(new Error("no")), limit), Error, "no");
  assertEquals(time.timers, 0);
});

timed.test("withTimeout() rejects with a TimeoutError when the time is up", async (time) => {
  const { signal } = new AbortController();
  const limited = withTimeout(untilAborted, { timeoutMs: 10_000, signal });
  limited.catch(() => {});
  await time.run(9999);
  assertEquals(time.timers, 1);
  await time.run(1);
  const error = await assertRejects(() => limited, DOMException, "no answer within 10 s");
  assertEquals(error.name, "TimeoutError");
});

timed.test("withTimeout() rejects with the signal's reason when it aborts", async (time) => {
  const controller = new AbortController();
  const limit = { timeoutMs: 10_000, signal: controller.signal };
  const limited = withTimeout(untilAborted, limit);
  controller.abort(new Error("enough"));
  await assertRejects(() => limited, Error, "enough");
  assertEquals(time.timers, 0);
  let ran = false;
  const late = withTimeout(() => Promise.resolve(ran = true), limit);
  await assertRejects(() => late, Error, "enough");
  assertEquals(ran, false);
});

timed.test("settlesWithin() is true as soon as the promise has settled, whichever way", async (time) => {
  assertEquals(await settlesWithin(Promise.resolve(7), 1_000), true);
  assertEquals(await settlesWithin(Promise.reject(new Error("no")), 1_000), true);
  assertEquals(time.timers, 0);
});

timed.test("settlesWithin() is false when the time is up, or the signal aborts before", async (time) => {
  const never = new Promise(() => {});
  const waiting = settlesWithin(never, 1_000);
  await time.run(999);
  assertEquals(time.timers, 1);
  await time.run(1);
  assertEquals(await waiting, false);
  const controller = new AbortController();
  const aborted = settlesWithin(never, 1_000, { signal: controller.signal });
  controller.abort();
  assertEquals(await aborted, false);
  assertEquals(await settlesWithin(never, 1_000, { signal: controller.signal }), false);
  assertEquals(time.timers, 0);
});

Deno.test("withTimeout() and settlesWithin() leave no listener at the signal", async () => {
  const { signal, listeners } = countedSignal();
  const limit = { timeoutMs: 10_000, signal };
  assertEquals([await withTimeout(() => Promise.resolve(listeners()), limit), listeners()], [1, 0]);
  await assertRejects(() => withTimeout(() => Promise.reject(new Error("no")), limit), Error);
  const settling = settlesWithin(Promise.resolve(), 10_000, { signal });
  assertEquals(listeners(), 1);
  assertEquals([await settling, listeners()], [true, 0]);
});
