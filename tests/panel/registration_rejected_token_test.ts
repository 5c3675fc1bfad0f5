import { assertEquals } from "@std/assert";
import { PanelError, type PanelFailure } from "../../lib/panel/panel_error.ts";
import { FakeTime } from "../fake_time.ts";
import { collectedLog } from "../log/collected_log.ts";
import { NODE, RegisteringMachine } from "./fake_registration.ts";

const MINUTE_MS = 60_000;

function failed(failure: PanelFailure): PanelError {
  return new PanelError("Cannot send report", { failure });
}

/** Minutes at which it registers again, in vain, when a call each half minute ends as `outcome` says. */
async function attempts(outcome: (minute: number) => unknown): Promise<number[]> {
  using time = new FakeTime();
  const machine = new RegisteringMachine();
  machine.store.nodes = [NODE];
  machine.answer = () => ({ kind: "failed", error: failed("unreachable") });
  await collectedLog(async () => {
    await using node = machine.registration({ rediscover: true });
    await node.find();
    for (let minute = 0; minute <= 35; minute += 0.5) {
      node.onOutcome(outcome(minute));
      await time.run(MINUTE_MS / 2);
    }
  });
  return machine.askedAtSeconds.map((second) => second / 60);
}

const unknown = failed("unauthorized");

Deno.test("NodeRegistration.onOutcome() registers again after ten minutes of rejection, and ten minutes later", async () => {
  assertEquals(await attempts(() => unknown), [10, 20.5, 31]);
});

Deno.test("NodeRegistration.onOutcome() does nothing while calls succeed or fail otherwise", async () => {
  assertEquals(await attempts(() => undefined), []);
  for (const failure of ["unreachable", "timeout", "rejected", "disconnected"] as const) {
    assertEquals(await attempts(() => failed(failure)), []);
  }
  assertEquals(await attempts(() => new Error("unauthorized")), []);
});

Deno.test("NodeRegistration.onOutcome() starts over after a success or another failure", async () => {
  for (const between of [undefined, failed("unavailable")]) {
    assertEquals(await attempts((minute) => minute === 9.5 ? between : unknown), [20, 30.5]);
  }
});

Deno.test("NodeRegistration.onOutcome() ignores blocked WebSockets", async () => {
  assertEquals(
    await attempts((minute) => minute === 9.5 ? failed("websocket blocked") : unknown),
    [10, 20.5, 31],
  );
});
