import { assertEquals } from "@std/assert";
import { PanelMonitor, PanelMonitors, ProbeCounts } from "../../lib/agent/panel_monitor.ts";
import { readHealth } from "../../lib/state/health_reader.ts";
import { FakeTime, timed } from "../fake_time.ts";
import { V2_POST, V2_WEBSOCKET } from "../panel/transports.ts";
import { openHealth } from "../state/health_folder.ts";
import { TempFolder } from "../temp_folder.ts";

const TASKS = [1, 2, 3, 4].map((id) => {
  return { id, kind: "icmp", target: "192.0.2.1", intervalSeconds: 60 } as const;
});

Deno.test("PanelMonitor keeps transport, last report, failures since then and the last error, and counts probes", () => {
  using time = new FakeTime({ now: 1000 });
  const written: unknown[] = [];
  const monitor = new PanelMonitor("p.example", (intervalMs) => written.push(intervalMs));
  const none = { failures: 0, shortConnections: 0, probes: 0, lastMinute: 0, lost: 0 };
  const empty = { panel: "p.example", sinceMs: 1000, ...none };
  assertEquals(monitor.health(), empty);
  time.tick(1000);
  monitor.onOutcome(new Error("Cannot x"));
  monitor.onOutcome(new Error("Cannot y"));
  const error = { text: "Cannot y", action: undefined, atMs: 2000 };
  assertEquals(monitor.health(), { ...empty, failures: 2, error });
  time.tick(1000);
  monitor.onTransport(V2_WEBSOCKET);
  monitor.onTransport(V2_WEBSOCKET);
  monitor.onAccepted(3000);
  monitor.onOutcome(undefined);
  for (let n = 0; n < 2; n++) monitor.onProbeTasks(TASKS);
  for (const id of [5, 5]) monitor.onProbeOrder({ id, kind: "tcp", target: "h:443" });
  for (const valueMs of [-1, 5]) {
    monitor.onProbeResult({ taskId: 5, kind: "tcp", finishedAt: new Date(), valueMs });
  }
  assertEquals(monitor.health(), {
    ...{ ...empty, transport: "v2 WebSocket", error, probes: 5, lastMinute: 2, lost: 1 },
    ...{ sinceMs: 3000, acceptedAtMs: 3000, intervalMs: 3000 },
  });
  assertEquals(written, [undefined, undefined, undefined, 3000, undefined]);
});

Deno.test("PanelMonitor counts WebSockets that were closed soon, until one lasts", () => {
  using time = new FakeTime({ now: 1000 });
  const monitor = new PanelMonitor("p.example", () => {});
  monitor.onTransport(V2_WEBSOCKET);
  monitor.onShortConnections(3, [20, 30, 10]);
  assertEquals(monitor.health().shortConnections, 3);
  assertEquals([monitor.health().shortestMs, monitor.health().longestMs], [10, 30]);
  time.tick(59_999);
  assertEquals(monitor.health().shortConnections, 3);
  time.tick(1);
  assertEquals(monitor.health().shortConnections, 0);
  monitor.onTransport(V2_POST);
  assertEquals(monitor.health().shortConnections, 3);
  time.tick(60_000);
  assertEquals(monitor.health().shortConnections, 3, "reports by POST prove nothing");
  monitor.onShortConnections(0, []);
  assertEquals(monitor.health().shortConnections, 0);
});

timed.test("PanelMonitors.open() has each panel in the health file, before any call has ended", () => {
  using folder = new TempFolder();
  using file = openHealth(folder.path);
  const monitors = new PanelMonitors(file);
  const first = monitors.open("p.example");
  assertEquals(readHealth([folder.path])?.panels.length, 1);
  const second = monitors.open("q.example");
  second.setProxy({ host: "10.0.0.1", port: 3128 });
  second.onTransport(V2_POST);
  const { panels, intervalMs } = readHealth([folder.path]) ?? {};
  assertEquals(panels?.map(({ panel, proxy, transport }) => [panel, proxy, transport]), [
    ["p.example", undefined, undefined],
    ["q.example", "10.0.0.1 port 3128", "v2 POST"],
  ]);
  assertEquals(intervalMs, 0);
  first.onAccepted(3_000);
  const after = readHealth([folder.path]);
  assertEquals([after?.intervalMs, after?.acceptedAtMs], [3_000, after?.panels[0]?.acceptedAtMs]);
});

Deno.test("PanelMonitors writes the health file once for a report, and at once for all else", () => {
  using folder = new TempFolder();
  using file = openHealth(folder.path);
  const writes: unknown[] = [];
  file.setPanels = (panels, { now }) => void writes.push([panels.length, now]);
  file.accepted = (intervalMs) => void writes.push(intervalMs);
  const monitor = new PanelMonitors(file).open("p.example");
  monitor.onAccepted(3000);
  for (const count of [0, 1, 1]) monitor.onShortConnections(count, [1]);
  assertEquals(writes.splice(0), [[1, true], [1, false], 3000, [1, true]]);
  for (const count of [2, 1, 0, 0]) monitor.onProbeTasks(TASKS.slice(0, count));
  assertEquals(writes, Array(3).fill([1, true]), "a shorter list, too");
});

const MINUTE_MS = 60_000;

timed.test("ProbeCounts counts what is listed and ordered, and forgets an order after ten minutes or three of its intervals", (time) => {
  const counts = new ProbeCounts();
  const order = (...ids: number[]) =>
    ids.forEach((id) => counts.order({ id, kind: "icmp", target: "h" }));
  const afterMs = (ms: number) => (time.tick(ms), counts.numbers().probes);
  counts.list([{ id: 1, kind: "icmp", target: "192.0.2.1", intervalSeconds: 60 }]);
  assertEquals(counts.numbers(), { probes: 1, lastMinute: 0, lost: 0 });
  order(2, 3);
  assertEquals(afterMs(9 * MINUTE_MS), 3);
  order(3);
  assertEquals([afterMs(MINUTE_MS), afterMs(1)], [3, 2]);
  counts.list([]);
  assertEquals([afterMs(26 * MINUTE_MS - 1), afterMs(1)], [1, 0]);
  // A thousand at most, and new ones in the place of old ones.
  for (let id = 1; id <= 2000; id++) order(id);
  assertEquals(counts.numbers().probes, 1000);
  time.tick(10 * MINUTE_MS + 1);
  order(2001);
  assertEquals(counts.numbers().probes, 1);
});

Deno.test("ProbeCounts names targets of which several results in a row were lost", () => {
  const counts = new ProbeCounts();
  const ids = Array.from({ length: 12 }, (_, at) => at + 1);
  const targetOf = (id: number) => id === 1 ? "h".repeat(101) : `h${id}`;
  counts.list(ids.map((id) => ({ id, kind: "icmp", target: targetOf(id), intervalSeconds: 60 })));
  const add = (...valuesMs: number[]) => {
    for (const valueMs of valuesMs) for (const taskId of ids) counts.add({ taskId, valueMs });
    return counts.numbers().lostTargets?.map(({ target }) => target);
  };
  assertEquals(add(-1, -1), undefined);
  assertEquals(add(-1), ids.slice(1, 11).map(targetOf), "ten at most, and no long one");
  assertEquals(add(12), undefined);
  add(-1, -1, -1);
  counts.list([{ id: 5, kind: "tcp", target: "h5:1", intervalSeconds: 60 }]);
  assertEquals(counts.numbers().lostTargets, [{ kind: "tcp", target: "h5:1" }]);
});

timed.test("ProbeCounts counts the results of the last minute, and the lost ones", (time) => {
  const counts = new ProbeCounts();
  time.tick(500);
  for (let n = 0; n < 90; n++) {
    counts.add({ taskId: 1, valueMs: n % 2 === 0 ? -1 : 12 });
    time.tick(1000);
  }
  assertEquals(counts.numbers(), { probes: 0, lastMinute: 59, lost: 29 });
  time.tick(MINUTE_MS);
  assertEquals(counts.numbers().lastMinute, 0);
});
