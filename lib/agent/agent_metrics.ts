/**
 * What a scrape shows of the agent: the values of its reports, and its connections to panels.
 *
 * @module
 */

import { machineMetrics } from "../exporter/exported_metrics.ts";
import { gauge, info, type MetricFamily, one } from "../exporter/openmetrics.ts";
import type { Machine } from "../metrics/machine.ts";
import type { Rates } from "../metrics/rates.ts";
import type { Sampler } from "../metrics/snapshot.ts";
import type { PanelHealth } from "../state/health_file.ts";
import { VERSION } from "../version.ts";
import type { PanelMonitors } from "./panel_monitor.ts";

/**
 * Values that are older than this and than two intervals are measured for the scrape: during an outage
 * there are no reports to take them from.
 */
const MAX_AGE_MS = 15_000;

/** An agent with what it has measured. */
export interface MeasuredAgent {
  readonly machine: Machine;
  readonly sampler: Sampler;
  readonly monitors: PanelMonitors;
  /** How the process is sealed, in words. */
  readonly seal: string;
  /** The shortest interval of reports, in milliseconds. */
  readonly intervalMs: number;
}

/** The values of the last reports, and the agent itself; `rates` are those of each panel. */
export function reportedFamilies(
  { machine, sampler, monitors, seal, intervalMs }: MeasuredAgent,
  rates: ReadonlyMap<string, Rates>,
): MetricFamily[] {
  const { latest } = sampler;
  const ageMs = latest === undefined ? Infinity : performance.now() - latest.takenAtMs;
  const isOld = latest === undefined || ageMs > Math.max(MAX_AGE_MS, 2 * intervalMs);
  const snapshot = isOld ? sampler.take() : latest.snapshot;
  const counted = new Set(
    machine.interfaces().flatMap(({ name, counted }) => counted ? [name] : []),
  );
  const interfaces = [...machine.network.total.counters()].filter(([name]) => counted.has(name));
  const health = monitors.health();
  // Those of the last report to each panel that gets reports now.
  const latestRates = health.flatMap(({ panel, transport }) => {
    const ofPanel = transport === undefined ? undefined : rates.get(panel)?.latest;
    return ofPanel === undefined ? [] : [[panel, ofPanel] as const];
  });
  return [
    ...machineMetrics({
      snapshot,
      atMs: isOld ? Date.now() : Date.now() - ageMs,
      facts: machine.facts(),
      interfaces: new Map(interfaces),
      rates: new Map(latestRates),
    }),
    ...agentFamilies(health, seal),
  ];
}

/** The agent itself, and its connections to panels. */
function agentFamilies(health: readonly PanelHealth[], seal: string): MetricFamily[] {
  const perPanel = (name: string, help: string, value: (it: PanelHealth) => number | undefined) =>
    gauge(name, help, health.map((it) => one(value(it), { panel: it.panel })));
  return [
    info("komari_agent", "Version and seal of the agent.", { version: VERSION, seal }),
    perPanel(
      "komari_panel_up",
      "Whether the connection to a panel works.",
      ({ transport }) => transport === undefined ? 0 : 1,
    ),
    gauge(
      "komari_panel_transport",
      "1 for the transport in use to a panel.",
      health.map(({ panel, transport }) => one(transport ? 1 : undefined, { panel, transport })),
    ),
    perPanel(
      "komari_panel_accepted_timestamp_seconds",
      "Time of the last accepted report, in unixtime.",
      ({ acceptedAtMs }) => acceptedAtMs && acceptedAtMs / 1000,
    ),
    perPanel(
      "komari_panel_failures",
      "Failed calls since the last accepted report.",
      ({ failures }) => failures,
    ),
    perPanel("komari_probes", "Number of scheduled probes.", ({ probes }) => probes),
    gauge("process_resident_memory_bytes", "Resident memory size in bytes.", [
      // A sealed process can't open what tells it, and the runtime gives 0 then.
      one(Deno.memoryUsage().rss || undefined),
    ]),
  ];
}
