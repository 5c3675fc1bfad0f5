import { assertEquals } from "@std/assert";
import { PanelMonitor } from "../../lib/agent/panel_monitor.ts";
import { FakeTime } from "../fake_time.ts";
import { V2_WEBSOCKET } from "../panel/transports.ts";

const TASKS = [1, 2, 3, 4].map((id) => {
  return { id, kind: "icmp", target: "192.0.2.1", intervalSeconds: 60 } as const;
});

Deno.test("PanelMonitor keeps transport, last report, failures since then and the last error", () => {
  using time = new FakeTime({ now: 1000 });
  const written: unknown[] = [];
  const monitor = new PanelMonitor("p.example", (intervalMs) => written.push(intervalMs));
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
  time.tick(1000);
  monitor.onOutcome(new Error("Cannot x"));
  monitor.onOutcome(new Error("Cannot y"));
  const error = { text: "Cannot y", atMs: 2000 };
  assertEquals(monitor.health(), { ...empty, failures: 2, error });
  time.tick(1000);
  monitor.onTransport(V2_WEBSOCKET);
  monitor.onTransport(V2_WEBSOCKET);
  monitor.onAccepted(3000);
  monitor.onOutcome(undefined);
  for (let n = 0; n < 2; n++) monitor.onProbeTasks(TASKS);
  assertEquals(monitor.health(), {
    ...empty,
    transport: "v2 WebSocket",
    sinceMs: 3000,
    acceptedAtMs: 3000,
    failures: 0,
    error,
    probes: 4,
  });
  assertEquals(written, [undefined, undefined, undefined, 3000, undefined]);
});
