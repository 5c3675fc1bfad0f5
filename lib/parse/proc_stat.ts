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

/** Old kernels have no more. */
const REQUIRED_COLUMNS = 4;

/**
 * Parses the first line of `/proc/stat`, that of all cores together, in clock ticks.
 *
 * Guest time is omitted, because `user` and `nice` include it. Columns missing in old kernels are 0.
 *
 * @throws {SyntaxError} When it is not a `cpu` line with at least four counters; the message quotes it.
 */
export function parseCpuTicks(text: string): CpuTicks {
  const [line = ""] = text.split("\n", 1);
  const [name, ...columns] = line.split(" ").filter((word) => word !== "");
  if (name !== "cpu" || columns.length < REQUIRED_COLUMNS) throw parseError(line);
  const ticks = (column = "0"): number | undefined => {
    const value = Number(column);
    if (!(value >= 0)) throw parseError(line);
    // A counter that fell below zero is printed as just under 2^64.
    return Number.isSafeInteger(value) ? value : undefined;
  };
  const [user, nice, system, idle, iowait, irq, softirq, steal] = columns;
  return {
    user: ticks(user),
    nice: ticks(nice),
    system: ticks(system),
    idle: ticks(idle),
    iowait: ticks(iowait),
    irq: ticks(irq),
    softirq: ticks(softirq),
    steal: ticks(steal),
  };
}

/** Counts online cores by the `cpuN` lines of `/proc/stat`; `undefined` when there are none. */
export function countLogicalCores(text: string): number | undefined {
  return text.match(/^cpu\d+ /gm)?.length;
}

function parseError(line: string): SyntaxError {
  return new SyntaxError(`Cannot parse stat: no CPU times in "${firstLine(line)}"`);
}
