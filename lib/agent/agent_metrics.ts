import { gauge, info, type MetricFamily, one } from "../exporter/openmetrics.ts";
import type { PanelHealth } from "../state/health_file.ts";
import { VERSION } from "../version.ts";

/** The agent itself, and its connections to panels. */
export function agentFamilies(health: readonly PanelHealth[], seal: string): MetricFamily[] {
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
      one(Deno.memoryUsage().rss),
    ]),
  ];
}
