import { assert, assertEquals } from "@std/assert";
import { type Clock, createClock } from "@sinonjs/fake-timers";
import { ResultQueue } from "../../lib/remote/result_queue.ts";
import type { CommandResult } from "../../lib/types.ts";
import { collectedLog } from "./collected_log.ts";

function result(taskId: string, output = ""): CommandResult {
  return { taskId, output, exitCode: 0, finishedAt: new Date(0) };
}

function make(clock: Clock, send: (it: CommandResult, signal: AbortSignal) => Promise<void>) {
  return new ResultQueue({
    send,
    nameOf: ({ taskId }) => `the result of command ${taskId}`,
    sizeOf: ({ output }) => output.length * 2,
    expiresAfterMs: 60 * 60_000,
    timers: clock,
    monotonicMs: () => clock.now,
    random: () => 1 - Number.EPSILON,
  });
}

Deno.test("ResultQueue.add() tries until the result is accepted, ever more slowly", async () => {
  const clock = createClock();
  const tries: number[] = [];
  const queue = make(clock, () => {
    tries.push(Math.round(clock.now / 1000));
    return tries.length < 9 ? Promise.reject(new Error("no")) : Promise.resolve();
  });
  const lines = await collectedLog(async () => {
    queue.add(result("a"));
    await clock.tickAsync(1_000_000);
  });
  assertEquals(tries, [0, 2, 6, 14, 30, 62, 122, 182, 242]);
  assertEquals(queue.size, 0);
  assertEquals(clock.countTimers(), 0);
  assertEquals(lines.length, 1, lines.join("\n"));
});

Deno.test("ResultQueue.add() gives up after an hour", async () => {
  const clock = createClock();
  let tries = 0;
  const queue = make(clock, () => {
    tries++;
    throw new Error("no");
  });
  const lines = await collectedLog(async () => {
    queue.add(result("a"));
    await clock.tickAsync(59 * 60_000);
    assertEquals(queue.size, 1);
    await clock.tickAsync(3 * 60_000);
  });
  assertEquals(queue.size, 0);
  assert(tries > 60 && tries < 70, `${tries}`);
  assert(lines.some((line) => line.includes("Gave up the result of command a: no")));
});

Deno.test("ResultQueue.add() sends new results while others back off", async () => {
  const clock = createClock();
  const accepted: string[] = [];
  const queue = make(clock, ({ taskId }) => {
    if (taskId.startsWith("bad")) return Promise.reject(new Error("no"));
    accepted.push(taskId);
    return Promise.resolve();
  });
  for (let i = 0; i < 50; i++) queue.add(result(`bad ${i}`));
  queue.add(result("good"));
  await clock.tickAsync(10);
  assertEquals(accepted, ["good"]);
  await queue.close();
  assertEquals(clock.countTimers(), 0);
});

Deno.test("ResultQueue.add() tries four at a time", async () => {
  const clock = createClock();
  let underWay = 0;
  let most = 0;
  const queue = make(clock, async () => {
    most = Math.max(most, ++underWay);
    await new Promise((resolve) => clock.setTimeout(resolve, 10));
    underWay--;
  });
  for (let i = 0; i < 20; i++) queue.add(result(`${i}`));
  await clock.tickAsync(49);
  assertEquals(queue.size, 4);
  await clock.tickAsync(1);
  assertEquals({ most, size: queue.size }, { most: 4, size: 0 });
});

Deno.test("ResultQueue.add() drops the oldest results beyond 8 MiB", async () => {
  const clock = createClock();
  const ended: string[] = [];
  const queue = make(clock, ({ taskId }, signal) =>
    new Promise((_, reject) => {
      signal.addEventListener("abort", () => {
        ended.push(taskId);
        reject(signal.reason);
      });
    }));
  const lines = await collectedLog(async () => {
    for (let i = 0; i < 20; i++) queue.add(result(`${i}`, "x".repeat(1024 * 1024)));
    await clock.tickAsync(0);
  });
  assertEquals(queue.size, 3);
  assertEquals(lines.length, 1, "one line a minute");
  await queue.close();
  assertEquals(ended.at(-1), "19");
});

Deno.test("ResultQueue.add() bounds the number of small results as well", () => {
  const queue = make(createClock(), () => new Promise(() => {}));
  for (let i = 0; i < 20_000; i++) queue.add(result(`${i}`));
  assert(queue.size <= 8192);
});
