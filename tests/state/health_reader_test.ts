import { assertEquals } from "@std/assert";
import { type Health, isReporting, reportingPanels } from "../../lib/state/health_reader.ts";
import { FakeTime } from "../fake_time.ts";

const NOW_MS = 1_000_000_000;

/** An agent whose two panels have last accepted a report so long ago. */
function agent(intervalMs: number, ...agoMs: (number | undefined)[]): Health {
  const acceptedAtMs = agoMs.map((ago) => ago === undefined ? undefined : NOW_MS - ago);
  return {
    pid: 1,
    version: "1.2.3",
    intervalMs,
    acceptedAtMs: acceptedAtMs[0],
    startedAtMs: NOW_MS,
    panels: acceptedAtMs.map((atMs, index) => ({
      panel: `${index}`,
      acceptedAtMs: atMs,
      sinceMs: 0,
      failures: 0,
      probes: 0,
    })),
    problems: [],
    sandbox: "",
    isRunning: true,
  };
}

Deno.test("isReporting() and reportingPanels() look back three intervals, and at least 30 s", () => {
  using _ = new FakeTime({ now: NOW_MS });
  const table: [intervalMs: number, agoMs: number | undefined, isReporting: boolean][] = [
    [1000, undefined, false],
    [1000, 0, true],
    [1000, 30_000, true],
    [1000, 30_001, false],
    [1000, -30_000, true],
    [1000, -30_001, false],
    [20_000, 60_000, true],
    [20_000, 60_001, false],
  ];
  for (const [intervalMs, agoMs, expected] of table) {
    const health = agent(intervalMs, agoMs, 0);
    assertEquals(isReporting(health), expected, `${intervalMs} ${agoMs}`);
    assertEquals(reportingPanels(health), new Set(expected ? ["0", "1"] : ["1"]));
  }
});

Deno.test("isReporting() and reportingPanels() know of nothing where no agent runs", () => {
  using _ = new FakeTime({ now: NOW_MS });
  for (const health of [undefined, { ...agent(1000, 0), isRunning: false }]) {
    assertEquals(isReporting(health), false);
    assertEquals(reportingPanels(health), new Set());
  }
});
