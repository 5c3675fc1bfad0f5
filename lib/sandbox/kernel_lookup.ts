import type { InterfaceTraits } from "../host/host.ts";
import { readInterfaceTraits, type TraitsHost } from "../host/interface_traits.ts";
import type { Shell } from "./shell.ts";

/** The request to the helper shell after the seal. */
type LookupShell = Pick<Shell, "countProcesses">;

/** Age up to which a count of the shell is given again: each costs as much as a report does. */
const COUNT_MAX_AGE_MS = 10_000;
/** A count is kept 8,000 times as long as it took, if that is longer. */
const COUNT_PACE = 8_000;
const LONGEST_COUNT_AGE_MS = 60_000;

/**
 * Look-ups below `/proc` and `/sys` that are needed at any time, not only at the start.
 *
 * The process reads directly until it is sealed. From then on the helper shell reads, whose answers
 * come a little later.
 */
export class KernelLookup {
  readonly #host: TraitsHost;
  #sealed = false;
  #shell: LookupShell | undefined;
  #processCount: number | undefined;
  /** When the shell counts again; infinite while it does. */
  #countAtMs = 0;

  constructor(host: TraitsHost) {
    this.#host = host;
  }

  /** Switches to the shell, once the process is sealed; without one, look-ups give nothing. */
  useShell(shell: LookupShell | undefined): void {
    this.#sealed = true;
    this.#shell = shell;
  }

  /** Properties of an interface; `undefined` when there are none, and once the process is sealed. */
  interfaceTraits(name: string): InterfaceTraits | undefined {
    return this.#sealed ? undefined : readInterfaceTraits(this.#host, name);
  }

  /**
   * Number of processes in `/proc`; `undefined` where it hides those of other users (`hidepid`), among
   * them the first one. After the seal it is the shell's last count, which is up to 10 s old, and up to a
   * minute where there are thousands of processes.
   */
  processCount(): number | undefined {
    if (this.#sealed) {
      this.#countByShell();
    } else {
      const names = this.#host.list(this.#host.roots.proc);
      this.#processCount = names?.includes("1")
        ? names.filter((name) => /^\d+$/.test(name)).length
        : undefined;
    }
    return this.#processCount;
  }

  #countByShell(): void {
    if (this.#shell === undefined) {
      // The count from before the seal is out of date.
      this.#processCount = undefined;
      return;
    }
    const startedAtMs = performance.now();
    if (startedAtMs < this.#countAtMs) return;
    this.#countAtMs = Infinity;
    this.#shell.countProcesses().then((count) => {
      this.#processCount = count === 0 ? undefined : count;
      const nowMs = performance.now();
      const ageMs = Math.max(COUNT_MAX_AGE_MS, (nowMs - startedAtMs) * COUNT_PACE);
      this.#countAtMs = nowMs + Math.min(ageMs, LONGEST_COUNT_AGE_MS);
    }, () => {
      this.#processCount = undefined;
      this.#countAtMs = 0;
    });
  }
}
