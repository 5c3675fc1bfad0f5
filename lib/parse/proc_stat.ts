import { decimalAt } from "./decimals.ts";
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

/**
 * The first line of `/proc/stat` is shorter: ten counters of 64 bits. The others are long on a server of
 * many cores, and nobody reads them.
 */
export const CPU_TICKS_BYTES = 256;

const TOTAL = "cpu ";
/** The columns of old kernels. */
const REQUIRED = { isRequired: true };

/**
 * Parses the first line of `/proc/stat`, that of all cores together, in clock ticks.
 *
 * Guest time is omitted, because `user` and `nice` include it. Columns missing in old kernels are 0.
 *
 * @throws {SyntaxError} When it is not a `cpu` line with at least four counters; the message quotes it.
 */
export function parseCpuTicks(text: string): CpuTicks {
  if (!text.startsWith(TOTAL)) throw ticksError(text);
  const end = text.indexOf("\n");
  const line = end === -1 ? text : text.slice(0, end);
  let at = TOTAL.length;
  const next = ({ isRequired = false } = {}): number | undefined => {
    while (line[at] === " ") at++;
    const value = decimalAt(line, at) ?? (isRequired ? NaN : 0);
    if (Number.isNaN(value)) throw ticksError(text);
    const space = line.indexOf(" ", at);
    at = space === -1 ? line.length : space;
    // A counter that fell below zero is printed as just under 2^64.
    return Number.isSafeInteger(value) ? value : undefined;
  };
  return {
    user: next(REQUIRED),
    nice: next(REQUIRED),
    system: next(REQUIRED),
    idle: next(REQUIRED),
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

/** All of `/proc/stat` but the single interrupts. */
export interface KernelStat {
  /**
   * Ticks of each online core by column: those of {@linkcode CpuState}, then guest and nice guest. One
   * that is out of range is `undefined`, and what an old kernel lacks is 0.
   */
  readonly cores: ReadonlyMap<string, readonly (number | undefined)[]>;
  /** The first number of each other line by its name: `ctxt`, `btime`, `intr`, `processes`, …. */
  readonly counters: ReadonlyMap<string, number>;
}

const CPU_COLUMNS = 10;

/** Parses `/proc/stat`; a line of another form has no entry. */
export function parseKernelStat(text: string): KernelStat {
  const cores = new Map<string, readonly (number | undefined)[]>();
  for (const [, core = "", columns = ""] of text.matchAll(/^cpu(\d{1,5})((?: \d+){4,}) *$/gm)) {
    const ticks = columns.slice(1).split(" ", CPU_COLUMNS).map(Number);
    while (ticks.length < CPU_COLUMNS) ticks.push(0);
    cores.set(core, ticks.map((value) => Number.isSafeInteger(value) ? value : undefined));
  }
  const lines = text.matchAll(/^([a-z_]{1,32}) (\d{1,20})(?![^ \n])/gm);
  const counters = Array.from(lines, ([, name = "", value]) => [name, Number(value)] as const);
  return { cores, counters: new Map(counters) };
}
