import { assertEquals, assertThrows } from "@std/assert";
import { PolledCommand } from "../../lib/metrics/polled_command.ts";
import { timed } from "../fake_time.ts";

/** Somebody who is asked, and answers when told to. */
class Oracle {
  asked = 0;
  #pending: PromiseWithResolvers<string> | undefined;
  readonly text: PolledCommand;

  constructor(everyMs?: number) {
    const ask = () => {
      this.asked++;
      this.#pending = Promise.withResolvers<string>();
      return this.#pending.promise;
    };
    this.text = new PolledCommand(ask, everyMs);
  }

  async answer(text: string | Error): Promise<void> {
    if (text instanceof Error) this.#pending?.reject(text);
    else this.#pending?.resolve(text);
    for (let turn = 0; turn < 5; turn++) await Promise.resolve();
  }
}

timed.test("PolledCommand.read() returns the last output and starts the next run", async (time) => {
  const oracle = new Oracle();
  assertEquals(oracle.text.read(), undefined);
  await oracle.answer("first");
  time.tick(3_000 - performance.now());
  assertEquals(oracle.text.read(), "first");
  assertEquals(oracle.asked, 2);
  time.tick(3_020 - performance.now());
  await oracle.answer("second\nline");
  assertEquals(oracle.text.read(), "second\nline");
  assertEquals(oracle.text.atMs, 3_020);
  time.tick(3_799 - performance.now());
  oracle.text.read();
  assertEquals(oracle.asked, 2, "it is too young to be asked for again");
  time.tick(1);
  oracle.text.read();
  assertEquals(oracle.asked, 3);
});

timed.test("PolledCommand.read() has one run in flight", async (time) => {
  const oracle = new Oracle();
  for (const nowMs of [0, 3_000, 6_000]) {
    time.tick(nowMs - performance.now());
    oracle.text.read();
  }
  assertEquals(oracle.asked, 1);
  await oracle.answer("at last");
  time.tick(9_000 - performance.now());
  assertEquals(oracle.text.read(), "at last");
  assertEquals(oracle.asked, 2);
});

timed.test("PolledCommand.read() keeps its interval", async (time) => {
  const oracle = new Oracle(10_000);
  oracle.text.read();
  await oracle.answer("first");
  time.tick(9_999 - performance.now());
  oracle.text.read();
  assertEquals(oracle.asked, 1);
  time.tick(10_000 - performance.now());
  oracle.text.read();
  assertEquals(oracle.asked, 2);
});

timed.test("PolledCommand.read() throws when the last run failed, until one succeeds", async (time) => {
  const oracle = new Oracle();
  oracle.text.read();
  await oracle.answer("first");
  time.tick(3_000 - performance.now());
  oracle.text.read();
  await oracle.answer(new Error("gone"));
  time.tick(6_000 - performance.now());
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
