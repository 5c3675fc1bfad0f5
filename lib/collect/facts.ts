import type { Host } from "../host/host.ts";
import { parseCpuinfo } from "../parse/cpuinfo.ts";
import type { MachineFacts } from "../types.ts";
import { cpuFacts } from "./cpu_facts.ts";
import { gpuName } from "./gpu_name.ts";
import { osName } from "./os_name.ts";
import { virtualization } from "./virtualization.ts";

/** What Go calls an architecture, where it is not the kernel's name for it. */
const GO_NAMES: Readonly<Record<string, string>> = { x86_64: "amd64", aarch64: "arm64" };

/** What Go calls an architecture: `amd64` where the runtime says `x86_64`. */
export function goArchitecture(arch: string): string {
  return GO_NAMES[arch] ?? arch;
}

/**
 * Reads what does not change while the machine runs; to be called once, before the process is
 * sealed.
 *
 * `arch` is the runtime's name for the architecture, `x86_64`. What the machine does not tell is
 * absent.
 */
export function machineFacts(
  host: Pick<Host, "roots" | "readText" | "list" | "exists" | "readLink">,
  options: { arch: string },
): MachineFacts {
  const { proc } = host.roots;
  const cpuText = host.readText(`${proc}/cpuinfo`);
  const cpu = cpuText === undefined ? undefined : parseCpuinfo(cpuText);
  const kernel = host.readText(`${proc}/sys/kernel/osrelease`)?.trim();
  const os = osName(host);
  const gpu = gpuName(host);
  const enclosure = virtualization(host, cpu);
  return {
    arch: goArchitecture(options.arch),
    ...cpuFacts(host, cpu),
    ...(gpu !== undefined && { gpuName: gpu }),
    ...(os !== undefined && { osName: os }),
    ...(kernel && { kernelVersion: kernel }),
    ...(enclosure !== undefined && { virtualization: enclosure }),
  };
}
