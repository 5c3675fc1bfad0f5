import { assertEquals } from "@std/assert";
import { PanelError, type PanelFailure } from "../../lib/panel/panel_error.ts";
import { RejectedTokenTimer } from "../../lib/panel/registered_node.ts";

const MINUTE_MS = 60_000;

function failed(failure: PanelFailure): PanelError {
  return new PanelError("Cannot send report", { failure });
}

/** Minutes at which it says that it is time, when a call each half minute ends as `outcome` says. */
function due(outcome: (minute: number) => unknown): number[] {
  let minute = 0;
  const watch = new RejectedTokenTimer(() => minute * MINUTE_MS);
  const found: number[] = [];
  for (; minute <= 35; minute += 0.5) if (watch.record(outcome(minute))) found.push(minute);
  return found;
}

const unknown = failed("unauthorized");

Deno.test("RejectedTokenTimer.record() gives true after ten minutes of rejection, and again ten minutes later", () => {
  assertEquals(due(() => unknown), [10, 20.5, 31]);
});

Deno.test("RejectedTokenTimer.record() gives false while calls succeed or fail otherwise", () => {
  assertEquals(due(() => undefined), []);
  for (const failure of ["unreachable", "timeout", "rejected", "disconnected"] as const) {
    assertEquals(due(() => failed(failure)), []);
  }
  assertEquals(due(() => new Error("unauthorized")), []);
});

Deno.test("RejectedTokenTimer.record() starts over after a success or another failure", () => {
  for (const between of [undefined, failed("unavailable")]) {
    assertEquals(due((minute) => minute === 9.5 ? between : unknown), [20, 30.5]);
  }
});

Deno.test("RejectedTokenTimer.record() ignores blocked WebSockets", () => {
  assertEquals(due((minute) => minute === 9.5 ? failed("websocket blocked") : unknown), [
    10,
    20.5,
    31,
  ]);
});
