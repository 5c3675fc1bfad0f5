import { lineAt, wordEnd } from "./scan.ts";

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

const SPACE = 0x20;
const ZERO = 0x30;
const NINE = 0x39;

/**
 * Parses the first line of `/proc/stat`, in clock ticks.
 *
 * Guest time is omitted, because `user` and `nice` include it. Columns missing in old kernels are 0.
 *
 * @throws {SyntaxError} When it is not a `cpu` line with at least four counters; the message quotes it.
 */
export function parseCpuTicks(line: string): CpuTicks {
  let at = wordEnd(line, 0);
  if (at !== 3 || !line.startsWith("cpu")) throw parseError(line);
  let columns = 0;
  const next = (): number | undefined => {
    while (line.charCodeAt(at) === SPACE) at++;
    const start = at;
    at = wordEnd(line, at);
    if (start === at && columns >= REQUIRED_COLUMNS) return 0;
    columns++;
    return ticksBetween(line, start, at);
  };
  return {
    user: next(),
    nice: next(),
    system: next(),
    idle: next(),
    iowait: next(),
    irq: next(),
    softirq: next(),
    steal: next(),
  };
}

/** A counter; `undefined` when it fell below zero, which the kernel prints as just under 2^64. */
function ticksBetween(line: string, start: number, end: number): number | undefined {
  let ticks = 0;
  for (let at = start; at < end; at++) {
    const code = line.charCodeAt(at);
    if (code < ZERO || code > NINE) throw parseError(line);
    ticks = ticks * 10 + (code - ZERO);
  }
  if (start === end) throw parseError(line);
  return Number.isSafeInteger(ticks) ? ticks : undefined;
}

/** Counts online cores by the `cpuN` lines of `/proc/stat`; `undefined` when there are none. */
export function countLogicalCores(text: string): number | undefined {
  return text.match(/^cpu\d+ /gm)?.length;
}

function parseError(line: string): SyntaxError {
  return new SyntaxError(`Cannot parse stat: no CPU times in "${lineAt(line, 0)}"`);
}
