import { assertEquals } from "@std/assert";
import { PanelError } from "../../lib/panel/panel_error.ts";
import { ResultQueue } from "../../lib/remote/result_queue.ts";
import { FakeTime } from "../fake_time.ts";
import { collectedLog } from "../log/collected_log.ts";
import { restoring } from "../restoring.ts";
import { testsWith } from "../tests_with.ts";

type Send = (taskId: string, signal: AbortSignal, isShort: boolean) => Promise<void>;

/** A queue of one's own results, whose delays are the longest, in a time that passes as a test says. */
class QueueUnderTest implements Disposable {
  readonly #random = restoring(Math, "random");
  readonly queue = new ResultQueue();
  readonly time = new FakeTime();
  /** Sends that were tried. */
  readonly tries: string[] = [];
  send: Send = () => Promise.resolve();

  constructor() {
    Math.random = () => 1 - Number.EPSILON;
  }

  add(taskId: string, bytes = 0): Promise<void> {
    return this.queue.add({
      name: `the result of command ${taskId}`,
      bytes,
      expiresAfterMs: 60 * 60_000,
      send: (signal, isShort) => {
        this.tries.push(taskId);
        return this.send(taskId, signal, isShort);
      },
    });
  }

  [Symbol.dispose](): void {
    using _ = this.#random;
    this.time[Symbol.dispose]();
  }
}

const withQueue = testsWith(() => new QueueUnderTest());
const refuse = () => Promise.reject(new Error("no"));

withQueue.test("ResultQueue.add() tries until the result is accepted, ever more slowly", async (it) => {
  const seconds: number[] = [];
  it.send = () => {
    seconds.push(Math.round(performance.now() / 1000));
    return seconds.length < 9 ? refuse() : Promise.resolve();
  };
  const lines = await collectedLog(async () => {
    it.add("a");
    await it.time.run(1_000_000);
  });
  assertEquals(seconds, [0, 2, 6, 14, 30, 62, 122, 182, 242]);
  assertEquals([it.queue.size, it.time.timers, lines.length], [0, 0, 1], lines.join("\n"));
});

withQueue.test("ResultQueue.drain() tries at once what waits for its next attempt, and nothing twice", async (it) => {
  const held = Promise.withResolvers<void>();
  it.send = (taskId) => {
    if (it.tries.length === 1) return refuse();
    return taskId === "b" ? held.promise : Promise.resolve();
  };
  it.add("a");
  await it.time.run(0);
  it.add("b");
  let isDrained = false;
  const draining = it.queue.drain().then(() => isDrained = true);
  await it.time.run(0);
  assertEquals([it.tries, isDrained], [["a", "b", "a"], false]);
  held.resolve();
  await draining;
  assertEquals([it.queue.size, it.time.timers, it.tries.length], [0, 0, 3]);
});

withQueue.test("ResultQueue.add() sends new results while others back off", async (it) => {
  const accepted: string[] = [];
  it.send = (taskId) => {
    if (taskId === "bad") return refuse();
    accepted.push(taskId);
    return Promise.resolve();
  };
  for (let i = 0; i < 50; i++) it.add("bad");
  it.add("good");
  await it.time.run(10);
  assertEquals(accepted, ["good"]);
  await it.queue.close();
  assertEquals(it.time.timers, 0);
});

withQueue.test("ResultQueue.add() tries four at a time, and one that is large", async (it) => {
  for (const [bytes, expected] of [[0, 4], [300_000, 1]] as const) {
    let underWay = 0;
    let most = 0;
    it.send = async () => {
      most = Math.max(most, ++underWay);
      await new Promise((resolve) => setTimeout(resolve, 10));
      underWay--;
    };
    for (let i = 0; i < 20; i++) it.add(`${i}`, bytes);
    await it.time.run(200 / expected - 1);
    assertEquals([most, it.queue.size], [expected, expected]);
    await it.time.run(1);
    assertEquals(it.queue.size, 0);
  }
});

withQueue.test("ResultQueue.add() drops the oldest results beyond 16 MiB, and counts those alone that wait", async (it) => {
  const ended: string[] = [];
  const lines = await collectedLog(async () => {
    for (let i = 0; i < 100; i++) await it.add("sent", 1024 * 1024);
    await it.time.run(0);
    it.send = (taskId, signal) =>
      new Promise((_, reject) => {
        signal.addEventListener("abort", () => {
          ended.push(taskId);
          reject(signal.reason);
        });
      });
    for (let i = 0; i < 20; i++) it.add(`${i}`, 2 * 1024 * 1024);
    await it.time.run(0);
  });
  assertEquals([it.queue.size, ended], [7, ["0"]]);
  assertEquals(lines.length, 1, "one line a minute");
  // Each small one takes a KiB.
  for (let i = 0; i < 2_100; i++) it.add("small");
  assertEquals(it.queue.size, 6 + 2_100);
  await it.queue.close();
});

withQueue.test("ResultQueue.add() goes on with the shorter result alone, and gives up one that is too large too", async (it) => {
  const tooLarge = new PanelError("too large", { failure: "unavailable", status: 413 });
  const away = new Error("the panel is away");
  const FAILURES = [[[tooLarge, away, away], 0], [[tooLarge, tooLarge], 1]] as const;
  for (const [failures, gaveUp] of FAILURES) {
    const sent: boolean[] = [];
    it.send = (_taskId, _signal, isShort) => {
      const failure = failures[sent.push(isShort) - 1];
      return failure ? Promise.reject(failure) : Promise.resolve();
    };
    const lines = await collectedLog(async () => {
      it.add("a");
      await it.time.run(60_000);
    });
    assertEquals(sent, gaveUp ? [false, true] : [false, true, true, true]);
    assertEquals(it.queue.size, 0);
    const ends = lines.filter((it) => it.endsWith("Gave up the result of command a: too large"));
    assertEquals(ends.length, gaveUp);
  }
});
