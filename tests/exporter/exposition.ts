import { formatMetrics, type MetricFamily } from "../../lib/exporter/openmetrics.ts";

/** The lines of these metrics that have a value. */
export function samplesOf(families: readonly MetricFamily[]): string[] {
  return formatMetrics(families).split("\n").filter((line) => /^[^#]/.test(line));
}

/** A metric as it stands in Prometheus' text format. */
export interface ExposedMetric {
  readonly type: string;
  readonly help: string;
  /** Values by labels in their order of names; a label without a text is none. */
  readonly samples: ReadonlyMap<string, number>;
}

/**
 * Reads the text format, version 0.0.4; histograms and summaries stand under the names of their lines.
 * Labels in `without` are left out.
 */
export function parseExposition(
  text: string,
  without: readonly string[] = [],
): Map<string, ExposedMetric> {
  const found = new Map<string, ExposedMetric & { samples: Map<string, number> }>();
  const at = (name: string) => {
    const metric = found.get(name) ?? { type: "", help: "", samples: new Map() };
    found.set(name, metric);
    return metric;
  };
  for (const line of text.split("\n")) {
    const [, kind, about = "", said = ""] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? [];
    if (kind === "HELP") found.set(about, { ...at(about), help: said });
    if (kind === "TYPE") found.set(about, { ...at(about), type: said });
    const [, name, labels = "", value] = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
    if (name === undefined || value === undefined) continue;
    at(name).samples.set(labelsOf(labels, without), Number(value.replace("Inf", "Infinity")));
  }
  return new Map([...found].filter(([, { samples }]) => samples.size > 0));
}

function labelsOf(text: string, without: readonly string[]): string {
  const labels = text.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g);
  return Array.from(
    labels,
    ([label, name = "", value]) => value === "" || without.includes(name) ? "" : label,
  )
    .filter((label) => label !== "").toSorted().join(",");
}
