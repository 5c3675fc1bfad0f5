import type { Source } from "../host/host.ts";
import { type CpuTicks, parseCpuTicks } from "../parse/proc_stat.ts";
import { growth } from "../rate.ts";

const BUSY = ["user", "nice", "system", "irq", "softirq", "steal"] as const;
const IDLE = ["idle", "iowait"] as const;

/** How busy all cores together are, from `/proc/stat`. */
export class Cpu {
  readonly #stat: Source;
  #before: CpuTicks | undefined;
  #percent: number | undefined;

  constructor(stat: Source) {
    this.#stat = stat;
  }

  /**
   * Percent, 0 to 100, since the call before; since boot in the first one.
   *
   * When no time went by, the last value stays.
   *
   * @throws {SyntaxError} When the kernel's text can't be read.
   */
  collect(): number | undefined {
    const line = this.#stat.readFirstLine();
    if (line === undefined) return undefined;
    const now = parseCpuTicks(line);
    const busy = grown(BUSY, { from: this.#before, to: now });
    const idle = grown(IDLE, { from: this.#before, to: now });
    this.#before = now;
    // Divided first: a share never exceeds 1, but a product may be rounded to above 100.
    if (busy + idle > 0) this.#percent = 100 * (busy / (busy + idle));
    return this.#percent;
  }
}

/**
 * Counter by counter rather than by the sum: idle and iowait fall on some kernels, steal on some
 * hypervisors, and one that fell must not eat another's growth.
 */
function grown(
  names: ReadonlyArray<keyof CpuTicks>,
  time: { from: CpuTicks | undefined; to: CpuTicks },
): number {
  let sum = 0;
  for (const name of names) sum += growth(time.from?.[name] ?? 0, time.to[name]) ?? 0;
  return sum;
}
