import type { Host } from "../host/host.ts";
import type { CpuInfo } from "../parse/cpuinfo.ts";
import { containerKind } from "./container_kind.ts";
import { virtualMachineKind } from "./virtual_machine_kind.ts";

/**
 * What the system is enclosed in, in the words of systemd-detect-virt: the container first, then
 * the hypervisor, `none` on bare metal; `undefined` when the machine tells nothing at all.
 *
 * Which machine is meant is a matter of `host.roots`: with a host's `/proc` and root folder it is
 * that host, whatever container the agent runs in.
 */
export function virtualization(
  host: Pick<Host, "roots" | "readText" | "exists" | "readLink" | "list">,
  cpu: CpuInfo | undefined,
): string | undefined {
  return containerKind(host) ??
    (cpu?.vendor === "User Mode Linux" ? "uml" : undefined) ??
    virtualMachineKind(host, cpu?.underHypervisor ?? false) ??
    (cpu === undefined ? undefined : "none");
}
