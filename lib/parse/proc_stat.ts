import { decimalAt, firstLine } from "./bounded_text.ts";

/** Time of all cores together since boot by state, in clock ticks. */
export type CpuTicks = Record<
  "user" | "nice" | "system" | "idle" | "iowait" | "irq" | "softirq" | "steal",
  number
>;

/**
 * The first line of `/proc/stat` is shorter: ten counters of 64 bits. The others are long on a server of
 * many cores, and nobody reads them.
 */
export const CPU_TICKS_BYTES = 256;

const TOTAL = "cpu ";

/**
 * Parses the first line of `/proc/stat`, that of all cores together, in clock ticks.
 *
 * Guest time is omitted, because `user` and `nice` include it.
 *
 * @throws {SyntaxError} When it is not a `cpu` line with eight counters in range; the message quotes it.
 */
export function parseCpuTicks(text: string): CpuTicks {
  if (!text.startsWith(TOTAL)) throw ticksError(text);
  const end = text.indexOf("\n");
  const line = end === -1 ? text : text.slice(0, end);
  let at = TOTAL.length;
  const next = (): number => {
    while (line[at] === " ") at++;
    const value = decimalAt(line, at) ?? NaN;
    // A counter that fell below zero is printed as just under 2^64.
    if (!Number.isSafeInteger(value)) throw ticksError(text);
    const space = line.indexOf(" ", at);
    at = space === -1 ? line.length : space;
    return value;
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

function ticksError(text: string): SyntaxError {
  return new SyntaxError(`Cannot parse stat: no CPU times in "${firstLine(text)}"`);
}

/** Counts online cores by the `cpuN` lines of `/proc/stat`; `undefined` when there are none. */
export function countLogicalCores(text: string): number | undefined {
  return text.match(/^cpu\d+ /gm)?.length;
}
