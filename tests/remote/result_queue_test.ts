import { assert, assertEquals } from "@std/assert";
import { PanelError } from "../../lib/panel/panel_error.ts";
import { ResultQueue } from "../../lib/remote/result_queue.ts";
import { timed } from "../fake_time.ts";
import { collectedLog } from "../log/collected_log.ts";

const random = Math.random;

/** A queue of one's own results, whose delays are the longest. */
class QueueUnderTest {
  readonly queue = new ResultQueue();

  constructor(readonly send: (taskId: string, signal: AbortSignal) => Promise<void>) {
    Math.random = () => 1 - Number.EPSILON;
  }

  add(taskId: string, output = ""): Promise<void> {
    return this.queue.add({
      name: `the result of command ${taskId}`,
      bytes: output.length * 2,
      expiresAfterMs: 60 * 60_000,
      send: (signal) => this.send(taskId, signal),
    });
  }

  [Symbol.dispose](): void {
    Math.random = random;
  }
}

timed.test("ResultQueue.add() tries until the result is accepted, ever more slowly", async (time) => {
  const tries: number[] = [];
  using results = new QueueUnderTest(() => {
    tries.push(Math.round(performance.now() / 1000));
    return tries.length < 9 ? Promise.reject(new Error("no")) : Promise.resolve();
  });
  const lines = await collectedLog(async () => {
    results.add("a");
    await time.run(1_000_000);
  });
  assertEquals(tries, [0, 2, 6, 14, 30, 62, 122, 182, 242]);
  assertEquals(results.queue.size, 0);
  assertEquals(time.timers, 0);
  assertEquals(lines.length, 1, lines.join("\n"));
});

timed.test("ResultQueue.drain() tries at once what waits for its next attempt, and nothing twice", async (time) => {
  const tries: string[] = [];
  const held = Promise.withResolvers<void>();
  using results = new QueueUnderTest((taskId) => {
    tries.push(taskId);
    if (tries.length === 1) return Promise.reject(new Error("no"));
    return taskId === "b" ? held.promise : Promise.resolve();
  });
  results.add("a");
  await time.run(0);
  results.add("b");
  let isDrained = false;
  const draining = results.queue.drain().then(() => isDrained = true);
  await time.run(0);
  assertEquals([tries, isDrained], [["a", "b", "a"], false]);
  held.resolve();
  await draining;
  assertEquals([results.queue.size, time.timers, tries.length], [0, 0, 3]);
});

timed.test("ResultQueue.add() sends new results while others back off", async (time) => {
  const accepted: string[] = [];
  using results = new QueueUnderTest((taskId) => {
    if (taskId.startsWith("bad")) return Promise.reject(new Error("no"));
    accepted.push(taskId);
    return Promise.resolve();
  });
  for (let i = 0; i < 50; i++) results.add(`bad ${i}`);
  results.add("good");
  await time.run(10);
  assertEquals(accepted, ["good"]);
  await results.queue.close();
  assertEquals(time.timers, 0);
});

timed.test("ResultQueue.add() tries four at a time", async (time) => {
  let underWay = 0;
  let most = 0;
  using results = new QueueUnderTest(async () => {
    most = Math.max(most, ++underWay);
    await new Promise((resolve) => setTimeout(resolve, 10));
    underWay--;
  });
  for (let i = 0; i < 20; i++) results.add(`${i}`);
  await time.run(49);
  assertEquals(results.queue.size, 4);
  await time.run(1);
  assertEquals({ most, size: results.queue.size }, { most: 4, size: 0 });
});

timed.test("ResultQueue.add() drops the oldest results beyond 16 MiB", async (time) => {
  const ended: string[] = [];
  using results = new QueueUnderTest((taskId, signal) =>
    new Promise((_, reject) => {
      signal.addEventListener("abort", () => {
        ended.push(taskId);
        reject(signal.reason);
      });
    })
  );
  const lines = await collectedLog(async () => {
    for (let i = 0; i < 20; i++) results.add(`${i}`, "x".repeat(1024 * 1024));
    await time.run(0);
  });
  assertEquals(results.queue.size, 7);
  assertEquals(lines.length, 1, "one line a minute");
  await results.queue.close();
  assertEquals(ended.at(-1), "13", "a large one is sent alone");
});

Deno.test("ResultQueue.add() bounds the number of small results as well", () => {
  using results = new QueueUnderTest(() => new Promise(() => {}));
  for (let i = 0; i < 17_000; i++) results.add(`${i}`);
  assert(results.queue.size <= 16_384);
});

Deno.test("ResultQueue.add() counts the bytes of those alone that wait", async () => {
  let accepted = 0;
  using results = new QueueUnderTest(() => Promise.resolve(void accepted++));
  const lines = await collectedLog(async () => {
    for (let id = 0; id < 10_000; id++) await results.add(`${id}`, "x".repeat(1000));
  });
  assertEquals([accepted, lines], [10_000, []]);
});

timed.test("ResultQueue.add() goes on with the shorter result alone, and gives up one that is too large too", async (time) => {
  const tooLarge = new PanelError("too large", { failure: "unavailable", status: 413 });
  const away = new Error("the panel is away");
  for (
    const [failures, gaveUp] of [[[tooLarge, away, away], 0], [[tooLarge, tooLarge], 1]] as const
  ) {
    const sent: boolean[] = [];
    const queue = new ResultQueue();
    const lines = await collectedLog(async () => {
      queue.add({
        name: "the result",
        bytes: 1,
        expiresAfterMs: 60 * 60_000,
        send(_signal, isShort) {
          const failure = failures[sent.push(isShort) - 1];
          return failure ? Promise.reject(failure) : Promise.resolve();
        },
      });
      await time.run(60_000);
    });
    assertEquals(sent, gaveUp ? [false, true] : [false, true, true, true]);
    assertEquals(queue.size, 0);
    assertEquals(
      lines.filter((line) => line.endsWith("Gave up the result: too large")).length,
      gaveUp,
    );
  }
});
