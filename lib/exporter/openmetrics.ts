/**
 * Text formats of Prometheus: OpenMetrics 1.0, and version 0.0.4 for scrapers that don't ask for it.
 *
 * `prom-client` is not used: it is CommonJS and requires `node:util`, which a bundle for the browser
 * platform can't load; one that can costs memory even where nothing is served.
 *
 * @module
 */

/** Labels of a sample; `undefined` leaves a label out. */
export type Labels = Readonly<Record<string, string | undefined>>;

/** One value of a family. */
export interface Sample {
  /** Follows the family's name: `_bucket`, `_sum`, `_count`; absent for a plain value. */
  readonly suffix?: string;
  readonly labels?: Labels;
  readonly value: number;
}

/** A metric with all its samples. */
export interface MetricFamily {
  /** Name without `_total` and `_info`, which follow from the type. */
  readonly name: string;
  readonly type: "gauge" | "counter" | "histogram" | "info" | "untyped";
  readonly help: string;
  readonly samples: readonly Sample[];
}

/** The one value of a family, or its samples; `undefined` for none. */
type Values = number | undefined | readonly (Sample | undefined)[];

/** Makes a gauge of what has a value. */
export function gauge(name: string, help: string, values: Values): MetricFamily {
  const samples = typeof values === "object" ? values : [one(values)];
  return { name, type: "gauge", help, samples: samples.filter((it) => it !== undefined) };
}

/** Makes a counter of what has a value. */
export function counter(name: string, help: string, values: Values): MetricFamily {
  return { ...gauge(name, help, values), type: "counter" };
}

/** Makes a family whose samples are 1 and carry labels. */
export function info(name: string, help: string, ...labels: readonly Labels[]): MetricFamily {
  return { name, type: "info", help, samples: labels.map((it) => ({ labels: it, value: 1 })) };
}

/** Makes a sample, or none without a value. */
export function one(value: number | undefined, labels?: Labels): Sample | undefined {
  return value === undefined ? undefined : { labels, value };
}

/** A family of a table: its name, its help, the value of a row if it has one, and another type. */
export type Column<Row> = readonly [
  name: string,
  help: string,
  value: (row: Row) => number | undefined,
  type?: MetricFamily["type"],
];

/** Families with a sample of each row of something, such as a disk. */
export interface Table<Row> {
  /** Start of all names. */
  readonly prefix: string;
  readonly type: MetricFamily["type"];
  readonly labels: (row: Row) => Labels;
  readonly columns: readonly Column<Row>[];
}

/** Makes a family of each column, with a sample of each row that has a value there. */
export function familiesOf<Row>(table: Table<Row>, rows: readonly Row[]): MetricFamily[] {
  const labels = rows.map(table.labels);
  return table.columns.map(([name, help, value, type = table.type]) => {
    const samples = rows.map((row, index) => one(value(row), labels[index]));
    return { ...gauge(`${table.prefix}${name}`, help, samples), type };
  });
}

/** A text format. */
export type MetricsFormat = "openmetrics" | "text";

/** The media types of the formats. */
export const CONTENT_TYPES: Readonly<Record<MetricsFormat, string>> = {
  openmetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8",
  text: "text/plain; version=0.0.4; charset=utf-8",
};

/** What a type appends to the name of its samples. */
const SUFFIXES = {
  ...{ gauge: "", counter: "_total", histogram: "", info: "_info", untyped: "" },
} as const;

/** Formats families; those without samples are left out. */
export function formatMetrics(families: readonly MetricFamily[], format: MetricsFormat): string {
  const lines: string[] = [];
  // Many samples share their labels.
  const formatted = new Map<Labels, string>();
  for (const { name, type, help, samples } of families) {
    if (samples.length === 0) continue;
    const sampleName = `${name}${SUFFIXES[type]}`;
    // The older format knows no infos, and names counters as their samples.
    const family = format === "openmetrics" ? name : sampleName;
    const familyType = format === "openmetrics"
      ? type === "untyped" ? "unknown" : type
      : type === "info"
      ? "gauge"
      : type;
    lines.push(`# HELP ${family} ${escapeHelp(help, format)}`, `# TYPE ${family} ${familyType}`);
    for (const { suffix = "", labels = NO_LABELS, value } of samples) {
      let text = formatted.get(labels);
      if (text === undefined) {
        text = formatLabels(labels);
        formatted.set(labels, text);
      }
      lines.push(`${sampleName}${suffix}${text} ${formatValue(value)}`);
    }
  }
  if (format === "openmetrics") lines.push("# EOF");
  return lines.map((line) => `${line}\n`).join("");
}

const NO_LABELS: Labels = {};

function formatLabels(labels: Labels): string {
  const pairs = Object.entries(labels).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}="${escapeText(value)}"`]
  );
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

/** The older format takes quotes in a help text as they are. */
function escapeHelp(text: string, format: MetricsFormat): string {
  return format === "openmetrics" ? escapeText(text) : escapeLine(text);
}

function escapeText(text: string): string {
  return escapeLine(text).replaceAll('"', '\\"');
}

/** Text may come from a kernel, with halves of characters, which no UTF-8 has. */
function escapeLine(text: string): string {
  return text.toWellFormed().replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

function formatValue(value: number): string {
  if (value === Infinity) return "+Inf";
  return value === -Infinity ? "-Inf" : String(value);
}

/** The format that an `Accept` header asks for. */
export function acceptedFormat(accept: string): MetricsFormat {
  return /\bapplication\/openmetrics-text\b/.test(accept) ? "openmetrics" : "text";
}
