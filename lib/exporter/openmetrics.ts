/**
 * The text format of Prometheus, version 0.0.4, which every scraper takes.
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
  readonly labels?: Labels;
  readonly value: number;
}

/** A metric with all its samples. */
export interface MetricFamily {
  readonly name: string;
  readonly type: "gauge" | "counter";
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
  return { ...gauge(`${name}_total`, help, values), type: "counter" };
}

/** Makes a family whose samples are 1 and carry labels. */
export function info(name: string, help: string, ...labels: readonly Labels[]): MetricFamily {
  return gauge(`${name}_info`, help, labels.map((it) => one(1, it)));
}

/** Makes a sample, or none without a value. */
export function one(value: number | undefined, labels?: Labels): Sample | undefined {
  return value === undefined ? undefined : { labels, value };
}

/** The media type of the format. */
export const CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** Formats families; those without samples are left out. */
export function formatMetrics(families: readonly MetricFamily[]): string {
  return families.filter(({ samples }) => samples.length > 0).flatMap((
    { name, type, help, samples },
  ) => [
    `# HELP ${name} ${escapeLine(help)}\n# TYPE ${name} ${type}\n`,
    ...samples.map(({ labels = {}, value }) => `${name}${formatLabels(labels)} ${value}\n`),
  ]).join("");
}

function formatLabels(labels: Labels): string {
  const pairs = Object.entries(labels).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}="${escapeLine(value).replaceAll('"', '\\"')}"`]
  );
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

/** Text may come from a kernel, with halves of characters, which no UTF-8 has. */
function escapeLine(text: string): string {
  return text.toWellFormed().replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}
