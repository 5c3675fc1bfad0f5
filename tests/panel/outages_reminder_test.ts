import { assertEquals } from "@std/assert";
import { Outages } from "../../lib/panel/outages.ts";
import { PanelError } from "../../lib/panel/panel_error.ts";

const MINUTE_MS = 60_000;
const DOWN = new PanelError("Cannot send report: refused", { failure: "unreachable" });

Deno.test("Outages gives an outage again after 1, 5 and 15 minutes, and then every hour", () => {
  let nowMs = 0;
  const outages = new Outages(() => nowMs);
  const events: string[] = [];
  for (; nowMs <= 181 * MINUTE_MS; nowMs += MINUTE_MS / 2) {
    const event = outages.failed("report", DOWN);
    if (event !== undefined) events.push(`${nowMs / MINUTE_MS} ${event.kind}: ${event.text}`);
  }
  const reason = "Cannot send report: refused";
  assertEquals(events, [
    `0 started: ${reason}`,
    `1 continues: Still failing for 1 min and 3 calls: ${reason}`,
    `5 continues: Still failing for 5 min and 11 calls: ${reason}`,
    `15 continues: Still failing for 15 min and 31 calls: ${reason}`,
    `60 continues: Still failing for 60 min and 121 calls: ${reason}`,
    `120 continues: Still failing for 2 h and 241 calls: ${reason}`,
    `180 continues: Still failing for 3 h and 361 calls: ${reason}`,
  ]);
});

Deno.test("Outages gives several outages in one event", () => {
  let nowMs = 0;
  const outages = new Outages(() => nowMs);
  const refused = new PanelError("Cannot send basic info: no column", { failure: "rejected" });
  outages.failed("basic info", refused);
  outages.failed("report", DOWN);
  nowMs = MINUTE_MS;
  const event = outages.failed("report", DOWN);
  assertEquals(event?.text.split("; "), [
    "Still failing for 1 min and 1 call: Cannot send basic info: no column",
    "for 1 min and 2 calls: Cannot send report: refused",
  ]);
  assertEquals(outages.failed("basic info", refused), undefined, "it was in that event");
});

Deno.test("Outages starts over when an outage has ended", () => {
  let nowMs = 0;
  const outages = new Outages(() => nowMs);
  outages.failed("report", DOWN);
  nowMs = 30_000;
  outages.succeeded("report");
  assertEquals(outages.failed("report", DOWN)?.kind, "started");
  nowMs = 80_000;
  assertEquals(outages.failed("report", DOWN), undefined);
  nowMs = 90_000;
  assertEquals(outages.failed("report", DOWN)?.kind, "continues");
});
