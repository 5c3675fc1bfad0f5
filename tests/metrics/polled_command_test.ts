import { assertEquals } from "@std/assert";
import { PolledCommand } from "../../lib/metrics/polled_command.ts";
import { FakeTime, timed } from "../fake_time.ts";

/** A command that answers when it is told to. */
class Command {
  runs = 0;
  #pending: PromiseWithResolvers<string> | undefined;
  readonly polled: PolledCommand;

  constructor(readonly time: FakeTime, intervalMs?: number) {
    this.polled = new PolledCommand(() => {
      this.runs++;
      this.#pending = Promise.withResolvers<string>();
      return this.#pending.promise;
    }, intervalMs);
  }

  /** What a reading at a time gives, and how often the command has been run by then. */
  at(ms: number): [output: string | undefined, runs: number] {
    this.time.tick(ms - performance.now());
    return [this.polled.read(), this.runs];
  }

  async answer(text: string | Error): Promise<void> {
    if (text instanceof Error) this.#pending?.reject(text);
    else this.#pending?.resolve(text);
    for (let turn = 0; turn < 5; turn++) await Promise.resolve();
  }
}

timed.test("PolledCommand.read() returns the last output and starts the next run, one at a time", async (time) => {
  const command = new Command(time);
  assertEquals([0, 3_000, 6_000].map((ms) => command.at(ms)[1]), [1, 1, 1]);
  assertEquals(command.polled.inFlightMs, 6_000);
  await command.answer("first");
  assertEquals([command.polled.inFlightMs, command.polled.atMs], [0, 6_000]);
  assertEquals(command.at(9_000), ["first", 2]);
  time.tick(20);
  await command.answer("second\nline");
  assertEquals([command.at(9_020), command.polled.atMs], [["second\nline", 2], 9_020]);
  assertEquals(command.at(9_799), ["second\nline", 2], "it is too young to be asked for again");
  assertEquals(command.at(9_800)[1], 3);
  const slow = new Command(time, 10_000);
  slow.at(10_000);
  await slow.answer("first");
  assertEquals([slow.at(19_999), slow.at(20_000)], [["first", 1], ["first", 2]]);
});
