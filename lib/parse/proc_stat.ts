import { lineAt } from "./scan.ts";

/** What time goes to, in the kernel's order. */
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
 * Time of all cores together since boot, in clock ticks, by what it went to; `undefined` where the
 * kernel's sum makes no sense.
 */
export type CpuTicks = Record<CpuState, number | undefined>;

/**
 * Reads the first line of `/proc/stat`, in clock ticks.
 *
 * Guest time is left out: the kernel has it in `user` and `nice` already. Columns that an old
 * kernel lacks count as 0.
 *
 * @throws {SyntaxError} When it is no `cpu` line or has no four counters; the message quotes it.
 */
export function parseCpuTicks(line: string): CpuTicks {
  const columns = line.trimEnd().split(" ");
  // The kernel puts two spaces behind "cpu", so that the columns of all lines stay together.
  const first = columns[1] === "" ? 2 : 1;
  if (columns[0] !== "cpu" || columns.length < first + 4) throw parseError(line);
  const tick = (index: number): number | undefined => {
    const column = columns[first + index];
    if (column === undefined) return 0;
    if (!/^\d+$/.test(column)) throw parseError(line);
    const value = Number(column);
    // The kernel's idle sums have been seen below zero, which shows as just under 2^64.
    return Number.isSafeInteger(value) ? value : undefined;
  };
  return {
    user: tick(0),
    nice: tick(1),
    system: tick(2),
    idle: tick(3),
    iowait: tick(4),
    irq: tick(5),
    softirq: tick(6),
    steal: tick(7),
  };
}

/** Counts the cores that are online by the `cpuN` lines of `/proc/stat`; `undefined` when it has none. */
export function countLogicalCores(text: string): number | undefined {
  return text.match(/^cpu\d+ /gm)?.length;
}

function parseError(line: string): SyntaxError {
  return new SyntaxError(`Cannot parse stat: no CPU times in "${lineAt(line, 0)}"`);
}
