import type { Host } from "./host/host.ts";
import type { KernelTree } from "./host/kernel_tree.ts";
import type { Machine } from "./machine.ts";

/** A machine, and what looks at it. */
export interface OpenMachine {
  readonly host: Pick<Host, "roots" | "interfaceAddresses" | "monotonicMs">;
  readonly tree: Pick<KernelTree, "useShell">;
  readonly machine: Machine;
  /** Ends what was started to look. */
  close?(): Promise<void>;
}
