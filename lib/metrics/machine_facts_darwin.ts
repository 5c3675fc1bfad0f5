import type { DarwinHost } from "../host/host_darwin.ts";
import { parseSysctl } from "../parse/sysctl.ts";
import type { MachineFacts } from "../types.ts";
import { goArchitecture } from "./machine_facts.ts";

/** Virtualization of a virtual Mac by the prefix of `hw.model`. */
const VIRTUAL_MODELS: ReadonlyArray<readonly [string, string]> = [
  ["VMware", "vmware"],
  ["Parallels", "parallels"],
  ["VirtualMac", "apple"],
];

/**
 * Facts that do not change while a Mac runs, from the output of `sysctl`; unknown ones are absent.
 *
 * The GPU is known only on Apple silicon, where it is part
 * of the processor; elsewhere only a slow command could report it.
 */
export function darwinFacts(
  host: Pick<DarwinHost, "arch" | "cores">,
  sysctl: string,
): MachineFacts {
  const values = parseSysctl(sysctl);
  const text = (name: string): string | undefined => values.get(name) || undefined;
  const count = (name: string): number | undefined => {
    const value = text(name) ?? "";
    return /^[1-9]\d{0,4}$/.test(value) ? Number(value) : undefined;
  };
  const cpuName = text("machdep.cpu.brand_string");
  const version = text("kern.osproductversion");
  return {
    arch: goArchitecture(host.arch),
    osName: version === undefined ? "macOS" : `macOS ${version}`,
    cpuName,
    logicalCores: count("hw.logicalcpu") ?? (host.cores().length || undefined),
    physicalCores: count("hw.physicalcpu"),
    gpuName: /^Apple M\d[\w ]*$/.test(cpuName ?? "") ? cpuName : undefined,
    kernelVersion: text("kern.osrelease"),
    virtualization: virtualizationOf(text("kern.hv_vmm_present"), text("hw.model") ?? ""),
  };
}

/** Boot id from the same output, different after each boot; empty where it is unknown. */
export function darwinBootId(sysctl: string): string {
  const id = parseSysctl(sysctl).get("kern.bootsessionuuid")?.toLowerCase() ?? "";
  return /^[0-9a-f-]{1,64}$/.test(id) ? id : "";
}

/** systemd-detect-virt's name; the model alone proves nothing, because it can be configured. */
function virtualizationOf(underHypervisor: string | undefined, model: string): string | undefined {
  if (underHypervisor === undefined) return undefined;
  if (underHypervisor === "0") return "none";
  return VIRTUAL_MODELS.find(([start]) => model.startsWith(start))?.[1] ?? "vm-other";
}
