import { assertEquals } from "@std/assert";
import { ProbeCounts } from "../../lib/agent/panel_monitor.ts";
import { FakeTime } from "../fake_time.ts";

const MINUTE_MS = 60_000;

Deno.test("ProbeCounts counts what is listed and what is ordered, by kind", () => {
  using time = new FakeTime();
  const counts = new ProbeCounts();
  assertEquals(counts.numbers(), { probes: 0, kinds: {}, lastMinute: 0, lost: 0 });
  counts.list([{ id: 1, kind: "icmp", target: "192.0.2.1", intervalSeconds: 60 }]);
  for (let n = 0; n < 3; n++) {
    counts.order({ id: 2, kind: "icmp" });
    counts.order({ id: 3, kind: "http" });
    time.tick(MINUTE_MS);
  }
  assertEquals(counts.numbers(), {
    probes: 3,
    kinds: { icmp: 2, http: 1 },
    lastMinute: 0,
    lost: 0,
  });
  counts.list([]);
  assertEquals(counts.numbers().probes, 2);
});

Deno.test("ProbeCounts forgets an ordered probe after ten minutes, or three of its intervals", () => {
  using time = new FakeTime();
  const counts = new ProbeCounts();
  counts.order({ id: 1, kind: "tcp" });
  counts.order({ id: 2, kind: "tcp" });
  time.tick(9 * MINUTE_MS);
  counts.order({ id: 2, kind: "tcp" });
  time.tick(MINUTE_MS);
  assertEquals(counts.numbers().probes, 2);
  time.tick(1);
  assertEquals(counts.numbers().probes, 1);
  time.tick(26 * MINUTE_MS - 1);
  assertEquals(counts.numbers().probes, 1);
  time.tick(1);
  assertEquals(counts.numbers().probes, 0);
});

Deno.test("ProbeCounts keeps at most 1000 ordered probes", () => {
  const counts = new ProbeCounts();
  for (let id = 1; id <= 2000; id++) counts.order({ id, kind: "icmp" });
  assertEquals(counts.numbers().probes, 1000);
});

Deno.test("ProbeCounts makes room for new probes when old ones are ordered no more", () => {
  using time = new FakeTime();
  const counts = new ProbeCounts();
  for (let id = 1; id <= 1000; id++) counts.order({ id, kind: "icmp" });
  time.tick(10 * MINUTE_MS + 1);
  counts.order({ id: 1001, kind: "tcp" });
  assertEquals(counts.numbers().kinds, { tcp: 1 });
});

Deno.test("ProbeCounts counts the results of the last minute, and the lost ones", () => {
  using time = new FakeTime();
  const counts = new ProbeCounts();
  time.tick(500);
  for (let n = 0; n < 90; n++) {
    counts.add({ valueMs: n % 2 === 0 ? -1 : 12 });
    time.tick(1000);
  }
  const { lastMinute, lost } = counts.numbers();
  assertEquals([lastMinute, lost], [59, 29]);
  time.tick(MINUTE_MS);
  assertEquals(counts.numbers().lastMinute, 0);
});
