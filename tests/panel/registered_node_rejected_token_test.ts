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

Deno.test("RejectedTokenTimer says it when the token was unknown for ten minutes, and again ten minutes later", () => {
  assertEquals(due(() => unknown), [10, 20.5, 31]);
});

Deno.test("RejectedTokenTimer says nothing while calls go well, or fail otherwise", () => {
  assertEquals(due(() => undefined), []);
  for (const failure of ["unreachable", "timeout", "rejected", "disconnected"] as const) {
    assertEquals(due(() => failed(failure)), []);
  }
  assertEquals(due(() => new Error("unauthorized")), []);
});

Deno.test("RejectedTokenTimer begins anew when a call goes well or fails otherwise in between", () => {
  for (const between of [undefined, failed("unavailable")]) {
    assertEquals(due((minute) => minute === 9.5 ? between : unknown), [20, 30.5]);
  }
});

Deno.test("RejectedTokenTimer learns nothing from a WebSocket that is barred", () => {
  assertEquals(due((minute) => minute === 9.5 ? failed("websocket blocked") : unknown), [
    10,
    20.5,
    31,
  ]);
});
