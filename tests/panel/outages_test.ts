import { assertEquals, assertStringIncludes } from "@std/assert";
import { Outages } from "../../lib/panel/outages.ts";
import { PanelError } from "../../lib/panel/panel_error.ts";

const refused = new PanelError("Cannot send report: refused", { failure: "unreachable" });
const bad = new PanelError("Cannot send basic info: status 500", {
  failure: "rejected",
  status: 500,
});

function withClock() {
  const clock = { now: 0 };
  return { clock, troubles: new Outages(() => clock.now) };
}

Deno.test("Outages gives events at start and end, with the number of failed calls", () => {
  const { clock, troubles } = withClock();
  assertEquals(troubles.failed("report", refused), { kind: "started", text: refused.message });
  assertEquals(troubles.failed("report", refused), undefined);
  assertEquals(troubles.failed("report", refused), undefined);
  clock.now = 12_000;
  const event = troubles.succeeded("report");
  assertEquals(event?.kind, "ended");
  assertStringIncludes(event?.text ?? "", "after 12 s and 3 failed calls");
  assertEquals(troubles.succeeded("report"), undefined);
});

Deno.test("Outages gives one outage for the whole panel, whichever calls fail", () => {
  const { troubles } = withClock();
  assertEquals(troubles.failed("report", refused)?.kind, "started");
  assertEquals(troubles.failed("task list", refused), undefined);
  assertEquals(troubles.succeeded("report")?.kind, "ended");
  assertEquals(troubles.succeeded("task list"), undefined);
});

Deno.test("Outages does not end by the success of a call that never failed", () => {
  const { troubles } = withClock();
  troubles.failed("task list", refused);
  assertEquals(troubles.succeeded("report"), undefined);
  assertEquals(troubles.failed("task list", refused), undefined);
  assertEquals(troubles.succeeded("task list")?.kind, "ended");
});

Deno.test("Outages gives an event when the cause changes", () => {
  const { troubles } = withClock();
  troubles.failed("report", refused);
  const proxy = new PanelError("status 502", { failure: "unavailable", status: 502 });
  assertEquals(troubles.failed("report", proxy), { kind: "changed", text: "status 502" });
  assertEquals(troubles.failed("report", proxy), undefined);
});

Deno.test("Outages keeps a refused call apart from outages of the panel", () => {
  const { troubles } = withClock();
  assertEquals(troubles.failed("basic info", bad)?.kind, "started");
  assertEquals(troubles.failed("report", refused)?.kind, "started");
  assertEquals(troubles.succeeded("report")?.kind, "ended");
  assertEquals(troubles.failed("basic info", bad), undefined);
  assertStringIncludes(
    troubles.succeeded("basic info")?.text ?? "",
    "basic info works again",
  );
});
