import type { Host } from "../host/host.ts";
import { armPartName, type CpuInfo, parseCpuinfo } from "../parse/cpuinfo.ts";
import { lookupVariable } from "../parse/os_release.ts";
import { countLogicalCores } from "../parse/proc_stat.ts";
import type { MachineFacts } from "../types.ts";
import { listGpus, listNames } from "./gpu_devices.ts";
import { virtualization } from "./virtualization.ts";

/** Name and cores of the processor. */
export type CpuFacts = Pick<MachineFacts, "cpuName" | "logicalCores" | "physicalCores">;

/**
 * Reads name and cores of the processor from `/proc/cpuinfo` (parsed by the caller), `/proc/stat`, the
 * device tree, and `/sys/devices/system/cpu`.
 */
export function cpuFacts(
  host: Pick<Host, "roots" | "readText" | "list">,
  info: CpuInfo | undefined,
): CpuFacts {
  const cpuName = info && cpuNameOf(info, host.readText(`${host.roots.proc}/device-tree/model`));
  const logicalCores = countLogicalCores(host.readText(`${host.roots.proc}/stat`) ?? "") ??
    info?.processors;
  // In LXC `/sys` may show the cores of the machine, while `/proc` shows the container's.
  const reported = info?.physicalCores ?? countCoresInSys(host);
  const physicalCores = reported && Math.min(reported, logicalCores ?? reported);
  return { cpuName, logicalCores, physicalCores };
}

function cpuNameOf(info: CpuInfo, deviceTreeModel: string | undefined): string | undefined {
  const { modelName } = info;
  if (modelName !== undefined) return modelName;
  const parts = info.armParts.map(armPartName).filter((name) => name !== undefined);
  return boardName(deviceTreeModel) ?? (parts.join(" + ") || undefined);
}

/** Device tree strings end with a NUL; `linux,dummy-virt` and similar strings are ids, not names. */
function boardName(model: string | undefined): string | undefined {
  const name = model?.replace(/\0[^]*$/, "").trim();
  return name === undefined || name === "" || /^\w+,\S+$/.test(name) ? undefined : name;
}

/** Counts cores: the threads of one have the same sibling list. */
function countCoresInSys(
  host: Pick<Host, "roots" | "readText" | "list">,
): number | undefined {
  const folder = `${host.roots.sys}/devices/system/cpu`;
  const siblings = (host.list(folder) ?? []).filter((name) => /^cpu\d+$/.test(name))
    .map((name) => host.readText(`${folder}/${name}/topology/thread_siblings_list`));
  const cores = new Set(siblings.filter((list) => list !== undefined));
  return cores.size || undefined;
}

type Files = Pick<Host, "roots" | "readText" | "exists">;

/**
 * Name of the operating system: `PRETTY_NAME` of `etc/os-release`, or the product name of a system built on a
 * distribution; `Linux` without either.
 */
export function osName(host: Files): string | undefined {
  const special = proxmox(host) ?? synology(host) ?? fnos(host);
  if (special !== undefined) return special;
  const release = osRelease(host);
  const name = lookupVariable(release, "NAME");
  const version = lookupVariable(release, "VERSION");
  return lookupVariable(release, "PRETTY_NAME") ?? (name && joinWords(name, version)) ??
    (host.readText(`${host.roots.proc}/sys/kernel/ostype`)?.trim() || undefined);
}

function osRelease(host: Files): string {
  const { root } = host.roots;
  return host.readText(`${root}/etc/os-release`) ??
    host.readText(`${root}/usr/lib/os-release`) ?? "";
}

/** `Proxmox VE 8.4.1 (bookworm)`, with the version of its package. */
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

/** `fnOS 1.1.11`, which is built on Debian and has Debian's os-release. */
function fnos(host: Files): string | undefined {
  const version = host.readText(`${host.roots.root}/usr/trim/etc/version`)?.trim();
  return version !== undefined && /^\d[\w.]*$/.test(version) ? `fnOS ${version}` : undefined;
}

function joinWords(...words: (string | undefined)[]): string {
  return words.filter(Boolean).join(" ");
}

/** Go's names of architectures that differ from the kernel's. */
const GO_NAMES: Readonly<Record<string, string>> = { x86_64: "amd64", aarch64: "arm64" };

/** Go's name of an architecture: `amd64` for `x86_64`. */
export function goArchitecture(arch: string): string {
  return GO_NAMES[arch] ?? arch;
}

/**
 * Reads facts that do not change while the machine runs; called once, before the process is sealed.
 *
 * Unknown facts are absent.
 */
export function machineFacts(
  host: Pick<Host, "arch" | "roots" | "readText" | "list" | "exists" | "readLink">,
): MachineFacts {
  const { proc } = host.roots;
  const cpuText = host.readText(`${proc}/cpuinfo`);
  const cpu = cpuText === undefined ? undefined : parseCpuinfo(cpuText);
  const kernel = host.readText(`${proc}/sys/kernel/osrelease`)?.trim();
  return {
    arch: goArchitecture(host.arch),
    ...cpuFacts(host, cpu),
    gpuName: listNames(listGpus(host).map(({ name }) => name)),
    osName: osName(host),
    kernelVersion: kernel || undefined,
    virtualization: virtualization(host, cpu),
  };
}
