import { createClock } from "@sinonjs/fake-timers";
import { assertEquals, assertRejects } from "@std/assert";
import { withTimeLimit } from "../../lib/net/timeout.ts";

function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(new Error("the socket's own words")));
  });
}

Deno.test("withTimeLimit() gives the result and leaves no timer", async () => {
  const timers = createClock();
  const { signal } = new AbortController();
  const limit = { ms: 1000, signal, timers };
  assertEquals(await withTimeLimit(() => Promise.resolve(7), limit), 7);
  assertEquals(timers.countTimers(), 0);
  await assertRejects(
    () => withTimeLimit(() => Promise.reject(new Error("no")), limit),
    Error,
    "no",
  );
  assertEquals(timers.countTimers(), 0);
});

Deno.test("withTimeLimit() rejects with a TimeoutError when the time is up", async () => {
  const timers = createClock();
  const { signal } = new AbortController();
  const limited = withTimeLimit(untilAborted, { ms: 10_000, signal, timers });
  limited.catch(() => {});
  await timers.tickAsync(9999);
  assertEquals(timers.countTimers(), 1);
  await timers.tickAsync(1);
  const error = await assertRejects(() => limited, DOMException, "no answer within 10 s");
  assertEquals(error.name, "TimeoutError");
});

Deno.test("withTimeLimit() rejects with the signal's reason when it aborts", async () => {
  const timers = createClock();
  const controller = new AbortController();
  const limit = { ms: 10_000, signal: controller.signal, timers };
  const limited = withTimeLimit(untilAborted, limit);
  controller.abort(new Error("enough"));
  await assertRejects(() => limited, Error, "enough");
  assertEquals(timers.countTimers(), 0);
  let ran = false;
  const late = withTimeLimit(() => Promise.resolve(ran = true), limit);
  await assertRejects(() => late, Error, "enough");
  assertEquals(ran, false);
});
