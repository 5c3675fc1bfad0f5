import { assert, assertEquals } from "@std/assert";
import { agentFamilies } from "../../lib/agent/agent_metrics.ts";
import { formatMetrics } from "../../lib/exporter/openmetrics.ts";
import type { PanelHealth } from "../../lib/state/health_file.ts";
import { VERSION } from "../../lib/version.ts";

const PANEL: PanelHealth = { panel: "p.example", sinceMs: 0, failures: 0, probes: 0 };

/** The samples of these panels, without what is the same for each agent. */
function samplesOf(...panels: readonly PanelHealth[]): string[] {
  const lines = formatMetrics(agentFamilies(panels, "sealed")).split("\n");
  return lines.filter((line) => /^komari_(panel|probes)/.test(line));
}

Deno.test("agentFamilies() has the version, the seal and the memory of the agent", () => {
  const text = formatMetrics(agentFamilies([], "sealed"));
  const samples = text.split("\n").filter((line) => /^[^#]/.test(line));
  assertEquals(samples.map((line) => line.replace(/ \d+$/, "")), [
    `komari_agent_info{version="${VERSION}",seal="sealed"}`,
    "process_resident_memory_bytes",
  ]);
  const bytes = Number(/^process_resident_memory_bytes (\d+)$/m.exec(text)?.[1]);
  const { rss } = Deno.memoryUsage();
  assert(bytes > rss / 2 && bytes < rss * 2, `${bytes} of ${rss}`);
});

Deno.test("agentFamilies() has the state of each panel, and leaves out what is not known", () => {
  const connected = {
    ...PANEL,
    transport: "v1 POST",
    acceptedAtMs: 1_700_000_000_500,
    failures: 2,
    probes: 3,
  };
  const other = { ...PANEL, panel: "p.example (2)", failures: 9 };
  assertEquals(samplesOf(connected, other), [
    'komari_panel_up{panel="p.example"} 1',
    'komari_panel_up{panel="p.example (2)"} 0',
    'komari_panel_transport{panel="p.example",transport="v1 POST"} 1',
    'komari_panel_accepted_timestamp_seconds{panel="p.example"} 1700000000.5',
    'komari_panel_failures{panel="p.example"} 2',
    'komari_panel_failures{panel="p.example (2)"} 9',
    'komari_probes{panel="p.example"} 3',
    'komari_probes{panel="p.example (2)"} 0',
  ]);
  assertEquals(samplesOf(PANEL), [
    'komari_panel_up{panel="p.example"} 0',
    'komari_panel_failures{panel="p.example"} 0',
    'komari_probes{panel="p.example"} 0',
  ]);
});
