import type { Host } from "../host/host.ts";
import { armPartName, type CpuInfo, parseCpuinfo } from "../parse/cpuinfo.ts";
import { lookupVariable } from "../parse/os_release.ts";
import { countLogicalCores } from "../parse/proc_stat.ts";
import type { MachineFacts } from "../types.ts";
import { gpuName } from "./gpu_devices.ts";
import { virtualization } from "./virtualization.ts";

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
  const cpuName = info && cpuNameOf(info, host.readText(`${host.roots.proc}/device-tree/model`));
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
export function withOnlineCores(facts: MachineFacts, stat: string | undefined): MachineFacts {
  const logicalCores = countLogicalCores(stat ?? "");
  if (logicalCores === undefined) return facts;
  const { physicalCores } = facts;
  return {
    ...facts,
    logicalCores,
    ...(physicalCores && { physicalCores: Math.min(physicalCores, logicalCores) }),
  };
}

function cpuNameOf(info: CpuInfo, deviceTreeModel: string | undefined): string | undefined {
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

type Files = Pick<Host, "roots" | "readText" | "exists">;

/** Systems that users know by another name than that of the distribution below them. */
const SPECIAL_SYSTEMS: ReadonlyArray<(host: Files) => string | undefined> = [
  proxmox,
  synology,
  fnos,
  android,
];

/**
 * What the system calls itself: `PRETTY_NAME` of `etc/os-release`, or its own name where it is a
 * special one; `Linux` where it has no name.
 */
export function osName(host: Files): string | undefined {
  for (const name of SPECIAL_SYSTEMS) {
    const special = name(host);
    if (special !== undefined) return special;
  }
  const release = osRelease(host);
  const name = lookupVariable(release, "NAME");
  const version = lookupVariable(release, "VERSION");
  // What has no such file, as a container of one program, is still of the kernel's kind.
  return lookupVariable(release, "PRETTY_NAME") ?? (name && joinWords(name, version)) ??
    (host.readText(`${host.roots.proc}/sys/kernel/ostype`)?.trim() || undefined);
}

function osRelease(host: Files): string {
  const { root } = host.roots;
  return host.readText(`${root}/etc/os-release`) ??
    host.readText(`${root}/usr/lib/os-release`) ?? "";
}

/** `Proxmox VE 8.4.1 (bookworm)`: the version is that of its package. */
function proxmox(host: Files): string | undefined {
  const { root } = host.roots;
  if (!host.exists(`${root}/usr/bin/pveversion`)) return undefined;
  const packages = host.readText(`${root}/var/lib/dpkg/status`) ?? "";
  const start = packages.indexOf("Package: pve-manager\n");
  const end = packages.indexOf("\n\n", start);
  const section = start === -1 ? "" : packages.slice(start, end === -1 ? undefined : end);
  const version = /^Version: ([^\s~]+)/m.exec(section)?.[1];
  const codename = lookupVariable(osRelease(host), "VERSION_CODENAME");
  return joinWords("Proxmox VE", version, codename && `(${codename})`);
}

/** `Synology DS920+ DSM 7.2`. */
function synology(host: Files): string | undefined {
  const { root } = host.roots;
  const info = host.readText(`${root}/etc/synoinfo.conf`) ??
    host.readText(`${root}/etc.defaults/synoinfo.conf`);
  if (info === undefined) return undefined;
  const version = host.readText(`${root}/etc.defaults/VERSION`) ?? "";
  return joinWords(
    "Synology",
    lookupVariable(info, "upnpmodelname"),
    "DSM",
    lookupVariable(version, "productversion"),
  );
}

/** `fnOS 1.1.11`; below it is a Debian that does not say so. */
function fnos(host: Files): string | undefined {
  const version = host.readText(`${host.roots.root}/usr/trim/etc/version`)?.trim();
  return version !== undefined && /^\d[\w.]*$/.test(version) ? `fnOS ${version}` : undefined;
}

/** `Android 14 (brand model)`. */
function android(host: Files): string | undefined {
  const properties = host.readText(`${host.roots.root}/system/build.prop`);
  const version = properties && lookupVariable(properties, "ro.build.version.release");
  if (!version) return undefined;
  const product = (name: string): string | undefined =>
    lookupVariable(properties, `ro.product.${name}`) ??
      lookupVariable(properties, `ro.product.system.${name}`);
  const device = joinWords(product("brand"), product("model"));
  return joinWords("Android", version, device && `(${device})`);
}

function joinWords(...words: (string | undefined)[]): string {
  return words.filter(Boolean).join(" ");
}

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
