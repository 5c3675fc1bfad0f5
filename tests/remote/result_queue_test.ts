import { assert, assertEquals } from "@std/assert";
import { type Clock, createClock } from "@sinonjs/fake-timers";
import { ResultUploads } from "../../lib/remote/result_queue.ts";
import type { CommandResult } from "../../lib/types.ts";
import { collectedLog } from "./collected_log.ts";

function result(taskId: string, output = ""): CommandResult {
  return { taskId, output, exitCode: 0, finishedAt: new Date(0) };
}

function make(clock: Clock, upload: (it: CommandResult, signal: AbortSignal) => Promise<void>) {
  return new ResultUploads({
    upload,
    timers: clock,
    monotonicMs: () => clock.now,
    random: () => 1 - Number.EPSILON,
  });
}

Deno.test("ResultUploads.add() tries until the result is accepted, ever more slowly", async () => {
  const clock = createClock();
  const tries: number[] = [];
  const uploads = make(clock, () => {
    tries.push(Math.round(clock.now / 1000));
    return tries.length < 9 ? Promise.reject(new Error("no")) : Promise.resolve();
  });
  const lines = await collectedLog(async () => {
    uploads.add(result("a"));
    await clock.tickAsync(1_000_000);
  });
  assertEquals(tries, [0, 2, 6, 14, 30, 62, 122, 182, 242]);
  assertEquals(uploads.waiting, 0);
  assertEquals(clock.countTimers(), 0);
  assertEquals(lines.length, 1, lines.join("\n"));
});

Deno.test("ResultUploads.add() gives up after an hour", async () => {
  const clock = createClock();
  let tries = 0;
  const uploads = make(clock, () => {
    tries++;
    throw new Error("no");
  });
  const lines = await collectedLog(async () => {
    uploads.add(result("a"));
    await clock.tickAsync(59 * 60_000);
    assertEquals(uploads.waiting, 1);
    await clock.tickAsync(3 * 60_000);
  });
  assertEquals(uploads.waiting, 0);
  assert(tries > 60 && tries < 70, `${tries}`);
  assert(lines.some((line) => line.includes("Gave up the result of command a: no")));
});

Deno.test("ResultUploads.add() uploads new results while others rest", async () => {
  const clock = createClock();
  const accepted: string[] = [];
  const uploads = make(clock, ({ taskId }) => {
    if (taskId.startsWith("bad")) return Promise.reject(new Error("no"));
    accepted.push(taskId);
    return Promise.resolve();
  });
  for (let i = 0; i < 50; i++) uploads.add(result(`bad ${i}`));
  uploads.add(result("good"));
  await clock.tickAsync(10);
  assertEquals(accepted, ["good"]);
  await uploads.close();
  assertEquals(clock.countTimers(), 0);
});

Deno.test("ResultUploads.add() tries four at a time", async () => {
  const clock = createClock();
  let underWay = 0;
  let most = 0;
  const uploads = make(clock, async () => {
    most = Math.max(most, ++underWay);
    await new Promise((resolve) => clock.setTimeout(resolve, 10));
    underWay--;
  });
  for (let i = 0; i < 20; i++) uploads.add(result(`${i}`));
  await clock.tickAsync(49);
  assertEquals(uploads.waiting, 4);
  await clock.tickAsync(1);
  assertEquals({ most, waiting: uploads.waiting }, { most: 4, waiting: 0 });
});

Deno.test("ResultUploads.add() drops the oldest results beyond 8 MiB", async () => {
  const clock = createClock();
  const ended: string[] = [];
  const uploads = make(clock, ({ taskId }, signal) =>
    new Promise((_, reject) => {
      signal.addEventListener("abort", () => {
        ended.push(taskId);
        reject(signal.reason);
      });
    }));
  const lines = await collectedLog(async () => {
    for (let i = 0; i < 20; i++) uploads.add(result(`${i}`, "x".repeat(1024 * 1024)));
    await clock.tickAsync(0);
  });
  assertEquals(uploads.waiting, 3);
  assertEquals(lines.length, 17);
  await uploads.close();
  assertEquals(ended.at(-1), "19");
});

Deno.test("ResultUploads.add() bounds the number of small results as well", () => {
  const uploads = make(createClock(), () => new Promise(() => {}));
  for (let i = 0; i < 20_000; i++) uploads.add(result(`${i}`));
  assert(uploads.waiting <= 8192);
});
