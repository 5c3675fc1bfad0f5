/** A program is compared on a machine where its twin costs at most this ratio of it. */
const MAX_NOISE = 1.1;

/** Values of two sides that were measured side by side, and the aim for their ratio. */
export interface Comparison {
  readonly what: string;
  readonly unit: string;
  readonly ours: readonly number[];
  readonly theirs: readonly number[];
  /** Ratio of a program to itself in the same measurement, at least 1. */
  readonly noise: number;
  readonly aim: number;
  /** Whether the aim is for `ours - theirs`, and not for `ours / theirs`. */
  readonly isDifference?: boolean;
  /** The statistic that is judged: the mean includes work that is not done in every window. */
  readonly judgedBy?: "median" | "mean";
}

/** How a comparison compares with its aim. */
export type Verdict = "within" | "over" | "not judged";

/** The middle value, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const [low = NaN, high = NaN] = [
    sorted[Math.ceil(sorted.length / 2) - 1],
    sorted[Math.floor(sorted.length / 2)],
  ];
  return (low + high) / 2;
}

/** Arithmetic mean. */
export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Noise of a machine: the ratio of two medians of the same program, the larger to the smaller one. */
export function noiseOf(one: readonly number[], other: readonly number[]): number {
  const ratio = median(one) / median(other);
  return Math.max(ratio, 1 / ratio);
}

/** Noise between the first, third, … and the second, fourth, … of the values of one program. */
export function noiseWithin(values: readonly number[]): number {
  const everySecond = (from: number) => values.filter((_, index) => index % 2 === from);
  return noiseOf(everySecond(0), everySecond(1));
}

/** The number that the aim limits, by one statistic of both sides. */
export function compare(
  { ours, theirs, isDifference = false }: Comparison,
  statistic: (values: readonly number[]) => number,
): number {
  const [one, other] = [statistic(ours), statistic(theirs)];
  return isDifference ? one - other : one / other;
}

/** Judges a comparison, unless the machine is too noisy. */
export function judge(comparison: Comparison): Verdict {
  // Also when the noise is unknown.
  if (!(comparison.noise <= MAX_NOISE)) return "not judged";
  const statistic = comparison.judgedBy === "mean" ? mean : median;
  return compare(comparison, statistic) <= comparison.aim ? "within" : "over";
}

const COLUMNS = ["", "ours", "theirs", "median", "min", "mean", "noise", "aim", "verdict"];

/** A table with a line per comparison: both medians, and the ratios of medians, minima and means. */
export function formatTable(comparisons: readonly Comparison[]): string {
  const rows = [COLUMNS, ...comparisons.map(formatRow)];
  const widths = COLUMNS.map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0))
  );
  const line = (row: readonly string[]) =>
    row.map((cell, column) => {
      const width = widths[column] ?? 0;
      return column === 0 || column === COLUMNS.length - 1
        ? cell.padEnd(width)
        : cell.padStart(width);
    }).join("  ").trimEnd();
  return rows.map(line).join("\n");
}

function formatRow(comparison: Comparison): string[] {
  const { what, unit, ours, theirs, noise, aim, isDifference = false } = comparison;
  const digits = unit === "MB" ? 1 : 0;
  const value = (values: readonly number[]) => `${median(values).toFixed(digits)} ${unit}`;
  const ratio = (statistic: typeof median) =>
    isDifference
      ? `${compare(comparison, statistic).toFixed(1)} ${unit}`
      : compare(comparison, statistic).toFixed(2);
  const verdict = judge(comparison);
  return [
    what,
    value(ours),
    value(theirs),
    ratio(median),
    ratio((values) => Math.min(...values)),
    ratio(mean),
    noise.toFixed(2),
    isDifference ? `${aim} ${unit}` : String(aim),
    verdict === "not judged"
      ? `not judged: this machine is too noisy (${noise.toFixed(2)})`
      : verdict,
  ];
}

/** One line on all comparisons. */
export function summarize(comparisons: readonly Comparison[]): string {
  const names = (verdict: Verdict) =>
    comparisons.filter((comparison) => judge(comparison) === verdict).map(({ what }) => what);
  const [over, unjudged] = [names("over"), names("not judged")];
  const within = names("within").length;
  const parts = [`${within} of ${comparisons.length} within their aims`];
  if (over.length > 0) parts.push(`over: ${over.join(", ")}`);
  if (unjudged.length > 0) {
    parts.push(`not judged, because this machine is too noisy: ${unjudged.join(", ")}`);
  }
  return parts.join("; ");
}
