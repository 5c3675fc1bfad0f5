import { firstLine } from "./lines.ts";

/** CPU states, in the kernel's order. */
export type CpuState =
  | "user"
  | "nice"
  | "system"
  | "idle"
  | "iowait"
  | "irq"
  | "softirq"
  | "steal";

/**
 * Time of all cores together since boot by state, in clock ticks; `undefined` where the kernel's
 * counter is out of range.
 */
export type CpuTicks = Record<CpuState, number | undefined>;

/** Old kernels have four columns, newer ones guest time behind the eighth, which `user` includes. */
const COLUMNS =
  /^cpu +(\d+) (\d+) (\d+) (\d+)(?: (\d+))?(?: (\d+))?(?: (\d+))?(?: (\d+))?(?: \d+)* *(?:\n|$)/;

/**
 * Parses the first line of `/proc/stat`, that of all cores together, in clock ticks.
 *
 * Guest time is omitted, because `user` and `nice` include it. Columns missing in old kernels are 0.
 *
 * @throws {SyntaxError} When it is not a `cpu` line with at least four counters; the message quotes it.
 */
export function parseCpuTicks(text: string): CpuTicks {
  const columns = COLUMNS.exec(text);
  if (columns === null) {
    throw new SyntaxError(`Cannot parse stat: no CPU times in "${firstLine(text)}"`);
  }
  const ticks = (column: number): number | undefined => {
    const value = Number(columns[column] ?? 0);
    // A counter that fell below zero is printed as just under 2^64.
    return Number.isSafeInteger(value) ? value : undefined;
  };
  return {
    user: ticks(1),
    nice: ticks(2),
    system: ticks(3),
    idle: ticks(4),
    iowait: ticks(5),
    irq: ticks(6),
    softirq: ticks(7),
    steal: ticks(8),
  };
}

/** Counts online cores by the `cpuN` lines of `/proc/stat`; `undefined` when there are none. */
export function countLogicalCores(text: string): number | undefined {
  return text.match(/^cpu\d+ /gm)?.length;
}
