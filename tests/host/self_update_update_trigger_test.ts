import { assertEquals } from "@std/assert";
import { install } from "@sinonjs/fake-timers";
import { UpdateTrigger } from "../../lib/host/self_update.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** A trigger on a clock of its own, and when it has fired, in minutes. */
async function withTrigger(
  options: { random: number; isTrialOpen?: boolean; fails?: () => boolean },
  use: (
    look: { fired: number[]; errors: string[]; pass: (ms: number) => Promise<number> },
    trigger: UpdateTrigger,
  ) => Promise<void>,
): Promise<void> {
  const clock = install({ now: 0, toFake: ["setTimeout", "clearTimeout", "Date"] });
  const fired: number[] = [];
  const errors: string[] = [];
  const trigger = new UpdateTrigger({
    start() {
      fired.push(Date.now() / MINUTE);
      return options.fails?.() ? Promise.reject(new Error("no")) : Promise.resolve();
    },
    isTrialOpen: options.isTrialOpen ?? false,
    onError: (error) => errors.push(String(error)),
    random: () => options.random,
  });
  try {
    await use({ fired, errors, pass: (ms) => clock.tickAsync(ms) }, trigger);
    trigger.stop();
    const before = fired.length;
    await clock.tickAsync(24 * HOUR);
    assertEquals([fired.length, clock.countTimers()], [before, 0], "it has been stopped");
  } finally {
    clock.uninstall();
  }
}

Deno.test("UpdateTrigger fires within an hour, and then every six, by chance", async () => {
  await withTrigger({ random: 0 }, async ({ fired, pass }) => {
    await pass(7 * HOUR);
    assertEquals(fired, [5, 185, 365]);
  });
  await withTrigger({ random: 1 }, async ({ fired, pass }) => {
    await pass(20 * HOUR);
    assertEquals(fired, [60, 600, 1140]);
  });
});

Deno.test("UpdateTrigger fires at once when a trial was cut off", async () => {
  await withTrigger({ random: 0.5, isTrialOpen: true }, async ({ fired, pass }) => {
    assertEquals(fired, [0]);
    await pass(6 * HOUR);
    assertEquals(fired, [0, 360]);
  });
});

Deno.test("UpdateTrigger goes on when it can't fire, and tells that once", async () => {
  let fails = true;
  await withTrigger({ random: 0.5, fails: () => fails }, async ({ fired, errors, pass }) => {
    await pass(13 * HOUR);
    assertEquals([fired.length, errors], [3, ["Error: no"]]);
    fails = false;
    await pass(6 * HOUR);
    fails = true;
    await pass(6 * HOUR);
    assertEquals([fired.length, errors.length], [5, 2]);
  });
});

Deno.test("UpdateTrigger starts none when it is stopped while one is being started", async () => {
  const clock = install({ now: 0, toFake: ["setTimeout", "clearTimeout"] });
  try {
    const started = Promise.withResolvers<void>();
    const told: unknown[] = [];
    const trigger = new UpdateTrigger({
      start: () => started.promise,
      isTrialOpen: true,
      onError: (error) => told.push(error),
    });
    trigger.stop();
    started.reject(new Error("the shell has ended"));
    await clock.tickAsync(24 * HOUR);
    assertEquals([clock.countTimers(), told], [0, []]);
  } finally {
    clock.uninstall();
  }
});
