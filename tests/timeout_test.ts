import { createClock } from "@sinonjs/fake-timers";
import { assertEquals, assertRejects } from "@std/assert";
import { withTimeout } from "../lib/timeout.ts";

function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(new Error("the socket's own words")));
  });
}

Deno.test("withTimeout() gives the result and leaves no timer", async () => {
  const timers = createClock();
  const { signal } = new AbortController();
  const limit = { timeoutMs: 1000, signal, timers };
  assertEquals(await withTimeout(() => Promise.resolve(7), limit), 7);
  assertEquals(timers.countTimers(), 0);
  await assertRejects(
    () => withTimeout(() => Promise.reject(new Error("no")), limit),
    Error,
    "no",
  );
  assertEquals(timers.countTimers(), 0);
});

Deno.test("withTimeout() rejects with a TimeoutError when the time is up", async () => {
  const timers = createClock();
  const { signal } = new AbortController();
  const limited = withTimeout(untilAborted, { timeoutMs: 10_000, signal, timers });
  limited.catch(() => {});
  await timers.tickAsync(9999);
  assertEquals(timers.countTimers(), 1);
  await timers.tickAsync(1);
  const error = await assertRejects(() => limited, DOMException, "no answer within 10 s");
  assertEquals(error.name, "TimeoutError");
});

Deno.test("withTimeout() rejects with the signal's reason when it aborts", async () => {
  const timers = createClock();
  const controller = new AbortController();
  const limit = { timeoutMs: 10_000, signal: controller.signal, timers };
  const limited = withTimeout(untilAborted, limit);
  controller.abort(new Error("enough"));
  await assertRejects(() => limited, Error, "enough");
  assertEquals(timers.countTimers(), 0);
  let ran = false;
  const late = withTimeout(() => Promise.resolve(ran = true), limit);
  await assertRejects(() => late, Error, "enough");
  assertEquals(ran, false);
});
