import { assertEquals, assertThrows } from "@std/assert";
import { PolledCommand } from "../../lib/metrics/polled_command.ts";

/** Somebody who is asked, answers when told to, and a clock. */
class Oracle {
  nowMs = 0;
  asked = 0;
  #pending: PromiseWithResolvers<string> | undefined;
  readonly text: PolledCommand;

  constructor(everyMs?: number) {
    const ask = () => {
      this.asked++;
      this.#pending = Promise.withResolvers<string>();
      return this.#pending.promise;
    };
    const monotonicMs = () => this.nowMs;
    this.text = new PolledCommand(
      ask,
      everyMs === undefined ? { monotonicMs } : { monotonicMs, intervalMs: everyMs },
    );
  }

  async answer(text: string | Error): Promise<void> {
    if (text instanceof Error) this.#pending?.reject(text);
    else this.#pending?.resolve(text);
    for (let turn = 0; turn < 5; turn++) await Promise.resolve();
  }
}

Deno.test("PolledCommand.read() returns the last output and starts the next run", async () => {
  const oracle = new Oracle();
  assertEquals(oracle.text.read(), undefined);
  await oracle.answer("first");
  oracle.nowMs = 3_000;
  assertEquals(oracle.text.read(), "first");
  assertEquals(oracle.text.readFirstLine(), "first");
  assertEquals(oracle.asked, 2);
  oracle.nowMs = 3_020;
  await oracle.answer("second\nline");
  assertEquals(oracle.text.read(), "second\nline");
  assertEquals(oracle.text.readFirstLine(), "second");
  assertEquals(oracle.text.atMs, 3_020);
  assertEquals(oracle.asked, 2, "it is too young to be asked for again");
});

Deno.test("PolledCommand.read() has one run in flight", async () => {
  const oracle = new Oracle();
  for (const nowMs of [0, 3_000, 6_000]) {
    oracle.nowMs = nowMs;
    oracle.text.read();
  }
  assertEquals(oracle.asked, 1);
  await oracle.answer("at last");
  oracle.nowMs = 9_000;
  assertEquals(oracle.text.read(), "at last");
  assertEquals(oracle.asked, 2);
});

Deno.test("PolledCommand.read() keeps its interval", async () => {
  const oracle = new Oracle(10_000);
  oracle.text.read();
  await oracle.answer("first");
  oracle.nowMs = 9_999;
  oracle.text.read();
  assertEquals(oracle.asked, 1);
  oracle.nowMs = 10_000;
  oracle.text.read();
  assertEquals(oracle.asked, 2);
});

Deno.test("PolledCommand.read() throws when the last run failed, until one succeeds", async () => {
  const oracle = new Oracle();
  oracle.text.read();
  await oracle.answer("first");
  oracle.nowMs = 3_000;
  oracle.text.read();
  await oracle.answer(new Error("gone"));
  oracle.nowMs = 6_000;
  assertThrows(() => oracle.text.read(), Error, "gone");
  await oracle.answer("back");
  assertEquals(oracle.text.read(), "back");
});

Deno.test("PolledCommand.refresh() resolves when the run has ended, also when it failed", async () => {
  const oracle = new Oracle();
  const refreshed = oracle.text.refresh();
  assertEquals(oracle.text.refresh(), refreshed, "that is under way");
  await oracle.answer(new Error("gone"));
  await refreshed;
  assertThrows(() => oracle.text.read(), Error, "gone");
});
