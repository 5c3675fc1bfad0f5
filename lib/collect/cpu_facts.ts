import type { Host } from "../host/host.ts";
import type { CpuInfo } from "../parse/cpuinfo.ts";
import { countLogicalCores } from "../parse/proc_stat.ts";
import type { MachineFacts } from "../types.ts";
import { armPartName } from "./arm_part_name.ts";

/** The processor's name and cores. */
export type CpuFacts = Pick<MachineFacts, "cpuName" | "logicalCores" | "physicalCores">;

/**
 * Tells what the machine computes with, from `/proc/cpuinfo` (read by the caller), `/proc/stat`,
 * the device tree, and the topology in `/sys/devices/system/cpu` where cpuinfo has none.
 */
export function cpuFacts(
  host: Pick<Host, "roots" | "readText" | "list">,
  info: CpuInfo | undefined,
): CpuFacts {
  const cpuName = info && nameOf(info, host.readText(`${host.roots.proc}/device-tree/model`));
  const logicalCores = countLogicalCores(host.readText(`${host.roots.proc}/stat`) ?? "");
  const told = info?.physicalCores ?? countSiblingGroups(host);
  // Within LXC `/sys` may show the cores of the machine, while `/proc` shows the container's.
  const physicalCores = told && Math.min(told, logicalCores ?? told);
  return {
    ...(cpuName !== undefined && { cpuName }),
    ...(logicalCores !== undefined && { logicalCores }),
    ...(physicalCores !== undefined && { physicalCores }),
  };
}

/** The facts with the cores that are online by now, from the text of `/proc/stat`. */
export function withCoresOnline(facts: MachineFacts, stat: string | undefined): MachineFacts {
  const logicalCores = countLogicalCores(stat ?? "");
  if (logicalCores === undefined) return facts;
  const { physicalCores } = facts;
  return {
    ...facts,
    logicalCores,
    ...(physicalCores && { physicalCores: Math.min(physicalCores, logicalCores) }),
  };
}

function nameOf(info: CpuInfo, deviceTreeModel: string | undefined): string | undefined {
  const { modelName } = info;
  // 32-bit ARM names the instruction set here, `ARMv7 Processor rev 4 (v7l)`.
  const isGeneric = modelName !== undefined && /^(?:ARMv\d|AArch64)\S* processor/i.test(modelName);
  if (modelName !== undefined && !isGeneric) return modelName;
  const parts = info.armParts.map(armPartName).filter((name) => name !== undefined);
  const board = boardName(deviceTreeModel);
  return info.designName ?? board ?? (parts.join(" + ") || undefined) ?? modelName ?? info.vendor;
}

/** Device tree strings end with a NUL; `linux,dummy-virt` and its like are ids, not names. */
function boardName(model: string | undefined): string | undefined {
  const name = model?.replace(/\0[^]*$/, "").trim();
  return name === undefined || name === "" || /^\w+,\S+$/.test(name) ? undefined : name;
}

/** Threads that share a core name the same siblings. */
function countSiblingGroups(
  host: Pick<Host, "roots" | "readText" | "list">,
): number | undefined {
  const folder = `${host.roots.sys}/devices/system/cpu`;
  const groups = new Set<string>();
  for (const name of host.list(folder) ?? []) {
    if (!/^cpu\d+$/.test(name)) continue;
    const siblings = host.readText(`${folder}/${name}/topology/thread_siblings_list`);
    if (siblings !== undefined) groups.add(siblings.trim());
  }
  return groups.size === 0 ? undefined : groups.size;
}
