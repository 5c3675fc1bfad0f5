import type { Host } from "./host.ts";
import { type InterfaceTraits, readInterfaceTraits } from "./interface_traits.ts";
import type { Shell } from "./shell.ts";

/** What is asked of the shell once the process can't look itself. */
export type KernelTreeShell = Pick<Shell, "interfaceTraits" | "countProcesses">;

/**
 * What has to be looked up below `/proc` and `/sys` at any time, not only at the start.
 *
 * The process looks itself until it is sealed; from then on the shell looks, whose answers come a
 * little later.
 */
export class KernelTree {
  readonly #host: Pick<Host, "roots" | "exists" | "list" | "readLink" | "readText">;
  #sealed = false;
  #shell: KernelTreeShell | undefined;
  #processCount: number | undefined;
  #counting = false;

  constructor(host: Pick<Host, "roots" | "exists" | "list" | "readLink" | "readText">) {
    this.#host = host;
  }

  /** To be called when the process is sealed; without a shell nothing new can be found out. */
  useShell(shell: KernelTreeShell | undefined): void {
    this.#sealed = true;
    this.#shell = shell;
  }

  /** What the kernel tells of an interface; `undefined` when it tells nothing. */
  interfaceTraits(
    name: string,
  ): InterfaceTraits | undefined | Promise<InterfaceTraits | undefined> {
    if (!this.#sealed) return readInterfaceTraits(this.#host, name);
    return this.#shell?.interfaceTraits(name).catch(() => undefined);
  }

  /**
   * Processes that `/proc` lists. Once the process is sealed this is the count that the shell made
   * when it was last asked, and asks it again.
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
      // The count from before the seal grows old, and an old count is no count.
      this.#processCount = undefined;
      return;
    }
    this.#counting = true;
    this.#shell.countProcesses()
      .then((count) => this.#processCount = count, () => this.#processCount = undefined)
      .finally(() => this.#counting = false);
  }
}
