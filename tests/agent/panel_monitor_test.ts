import { assertEquals } from "@std/assert";
import { PanelMonitor } from "../../lib/agent/panel_monitor.ts";

Deno.test("PanelMonitor keeps transport, last report, failures since then and the last error", () => {
  let nowMs = 1000;
  const written: boolean[] = [];
  const monitor = new PanelMonitor("p.example", {
    onChange: ({ now }) => void written.push(now),
    nowMs: () => nowMs,
  });
  const empty = {
    panel: "p.example",
    transport: undefined,
    sinceMs: 1000,
    acceptedAtMs: undefined,
    failures: 0,
    error: undefined,
    probes: 0,
  };
  assertEquals(monitor.health(), empty);
  nowMs = 2000;
  monitor.onOutcome(new Error("Cannot x"));
  monitor.onOutcome(new Error("Cannot y"));
  const error = { text: "Cannot y", atMs: 2000 };
  assertEquals(monitor.health(), { ...empty, failures: 2, error });
  nowMs = 3000;
  monitor.onTransport("v2 WebSocket");
  monitor.onTransport("v2 WebSocket");
  monitor.onAccepted();
  monitor.onOutcome(undefined);
  monitor.onProbes(4);
  assertEquals(monitor.health(), {
    ...empty,
    transport: "v2 WebSocket",
    sinceMs: 3000,
    acceptedAtMs: 3000,
    failures: 0,
    error,
    probes: 4,
  });
  // A report is recorded by its own write; everything else that matters is written at once.
  assertEquals(written, [true, true, true, false, false]);
});
