import { lineAt } from "./scan.ts";

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

/**
 * Parses the first line of `/proc/stat`, in clock ticks.
 *
 * Guest time is omitted, because `user` and `nice` include it. Columns missing in old kernels are 0.
 *
 * @throws {SyntaxError} When it is not a `cpu` line with at least four counters; the message quotes it.
 */
export function parseCpuTicks(line: string): CpuTicks {
  const columns = line.trimEnd().split(" ");
  // The kernel writes two spaces after "cpu".
  const first = columns[1] === "" ? 2 : 1;
  if (columns[0] !== "cpu" || columns.length < first + 4) throw parseError(line);
  const tick = (index: number): number | undefined => {
    const column = columns[first + index];
    if (column === undefined) return 0;
    if (!/^\d+$/.test(column)) throw parseError(line);
    const value = Number(column);
    // Idle counters have been seen below zero, printed as just under 2^64.
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

/** Counts online cores by the `cpuN` lines of `/proc/stat`; `undefined` when there are none. */
export function countLogicalCores(text: string): number | undefined {
  return text.match(/^cpu\d+ /gm)?.length;
}

function parseError(line: string): SyntaxError {
  return new SyntaxError(`Cannot parse stat: no CPU times in "${lineAt(line, 0)}"`);
}
