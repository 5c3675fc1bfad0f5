import { firstLine } from "./lines.ts";

/** Time that tasks have lost to a resource since boot, in microseconds. */
export interface Pressure {
  /** While at least one task waited. */
  someUs: number | undefined;
  /** While no task could go on. */
  fullUs: number | undefined;
}

/**
 * Parses `/proc/pressure/cpu` and its like. Old kernels have no `full` for processors, and interrupts
 * have no `some`.
 *
 * @throws {SyntaxError} When there is neither; the message quotes the line.
 */
export function parsePressure(text: string): Pressure {
  const total = (kind: string): number | undefined => {
    const found = new RegExp(`^${kind} avg10=.* total=(\\d{1,20})$`, "m").exec(text);
    return found === null ? undefined : Number(found[1]);
  };
  const pressure = { someUs: total("some"), fullUs: total("full") };
  if (pressure.someUs === undefined && pressure.fullUs === undefined) {
    throw new SyntaxError(`Cannot parse pressure: no total in "${firstLine(text)}"`);
  }
  return pressure;
}
