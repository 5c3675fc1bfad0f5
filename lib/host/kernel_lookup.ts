import type { Host } from "./host.ts";
import { type InterfaceTraits, readInterfaceTraits } from "./interface_traits.ts";
import type { Shell } from "./shell.ts";

/** The requests to the helper shell after the seal. */
export type LookupShell = Pick<Shell, "interfaceTraits" | "countProcesses">;

/**
 * Look-ups below `/proc` and `/sys` that are needed at any time, not only at the start.
 *
 * The process reads directly until it is sealed. From then on the helper shell reads, whose answers
 * come a little later.
 */
export class KernelLookup {
  readonly #host: Pick<Host, "roots" | "exists" | "list" | "readLink" | "readText">;
  #sealed = false;
  #shell: LookupShell | undefined;
  #processCount: number | undefined;
  #counting = false;

  constructor(host: Pick<Host, "roots" | "exists" | "list" | "readLink" | "readText">) {
    this.#host = host;
  }

  /** Switches to the shell, once the process is sealed; without one, look-ups give nothing. */
  useShell(shell: LookupShell | undefined): void {
    this.#sealed = true;
    this.#shell = shell;
  }

  /** Properties of an interface; `undefined` when there are none. */
  interfaceTraits(
    name: string,
  ): InterfaceTraits | undefined | Promise<InterfaceTraits | undefined> {
    if (!this.#sealed) return readInterfaceTraits(this.#host, name);
    return this.#shell?.interfaceTraits(name).catch(() => undefined);
  }

  /**
   * Number of processes in `/proc`. After the seal it is the shell's last count, and each call starts
   * the next one.
   */
  processCount(): number | undefined {
    if (this.#sealed) {
      this.#countByShell();
    } else {
      const names = this.#host.list(this.#host.roots.proc);
      this.#processCount = names?.filter((name) => /^\d+$/.test(name)).length;
    }
    return this.#processCount;
  }

  #countByShell(): void {
    if (this.#counting) return;
    if (this.#shell === undefined) {
      // The count from before the seal is out of date.
      this.#processCount = undefined;
      return;
    }
    this.#counting = true;
    this.#shell.countProcesses()
      .then((count) => this.#processCount = count, () => this.#processCount = undefined)
      .finally(() => this.#counting = false);
  }
}
