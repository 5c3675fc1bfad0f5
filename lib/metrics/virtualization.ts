import type { Host } from "../host/host.ts";
import type { CpuInfo } from "../parse/cpuinfo.ts";

type ContainerFiles = Pick<Host, "roots" | "readText" | "exists" | "readLink">;
type Files = ContainerFiles & Pick<Host, "list" | "readBytes">;

/** `/proc/1/ns/pid` outside containers; the inode number is fixed in the kernel. */
const FIRST_NAMESPACE = "pid:[4026531836]";

/** Values of `container=` that systemd-detect-virt knows. */
const CONTAINER_MANAGERS: ReadonlySet<string> = new Set([
  "docker",
  "lxc",
  "lxc-libvirt",
  "podman",
  "pouch",
  "proot",
  "rkt",
  "systemd-nspawn",
  "wsl",
]);

/** Patterns of cgroup names, for containers without other markers. */
const CGROUP_PATTERNS: ReadonlyArray<readonly [RegExp, string]> = [
  [/[/-]libpod[-_]/, "podman"],
  [/\/docker[/-]/, "docker"],
  [/\/lxc[./]/, "lxc"],
  [/kubepods/, "container-other"],
];

/**
 * Kind of the container, as systemd-detect-virt names it; `undefined` outside a container.
 *
 * Reads marker files, and the environment and cgroups of process 1. Unreadable files are ignored. The
 * order is that of systemd-detect-virt; what it does not know comes after that.
 */
export function containerKind(host: ContainerFiles): string | undefined {
  const { proc, root } = host.roots;
  if (host.exists(`${proc}/vz`) && !host.exists(`${proc}/bc`)) return "openvz";
  const kernel = host.readText(`${proc}/sys/kernel/osrelease`) ?? "";
  if (/microsoft|WSL/i.test(kernel)) return "wsl";
  if (isTracedByProot(host)) return "proot";
  const manager = host.readText(`${root}/run/host/container-manager`)?.trim() ||
    host.readText(`${root}/run/systemd/container`)?.trim() ||
    containerVariable(host.readText(`${proc}/1/environ`));
  // Images of any manager may say `oci`.
  if (manager && manager !== "oci") {
    return CONTAINER_MANAGERS.has(manager) ? manager : "container-other";
  }
  if (host.exists(`${root}/run/.containerenv`)) return "podman";
  if (host.exists(`${root}/.dockerenv`)) return "docker";
  return manager ? "container-other" : containerKindByTraces(host);
}

/** proot has no namespaces: it traces the programs that it shows another root. */
function isTracedByProot(host: ContainerFiles): boolean {
  const { proc, root } = host.roots;
  if (root !== "/") return false;
  const tracer = /^TracerPid:\s*([1-9]\d*)$/m.exec(host.readText(`${proc}/self/status`) ?? "")?.[1];
  return tracer !== undefined &&
    host.readText(`${proc}/${tracer}/comm`)?.startsWith("proot") === true;
}

function containerVariable(environment: string | undefined): string | undefined {
  return environment?.split("\0").find((entry) => entry.startsWith("container="))?.slice(10);
}

function containerKindByTraces(host: ContainerFiles): string | undefined {
  const { proc, root } = host.roots;
  const groups = host.readText(`${proc}/1/cgroup`) ?? "";
  for (const [pattern, kind] of CGROUP_PATTERNS) {
    if (pattern.test(groups)) return kind;
  }
  // LXC mounts lxcfs over single files of /proc.
  if (/ \/proc\/\w+ fuse\.lxcfs /.test(host.readText(`${proc}/mounts`) ?? "")) return "lxc";
  // Process 1 may be another user's; the agent is in the same namespace, unless the root is a host's.
  const namespace = host.readLink(`${proc}/1/ns/pid`) ??
    (root === "/" ? host.readLink(`${proc}/self/ns/pid`) : undefined);
  const isOwn = namespace !== undefined && namespace !== FIRST_NAMESPACE;
  return isOwn || (root === "/" && hasOwnGroups(host)) ? "container-other" : undefined;
}

/** Whether the root of the cgroups is one below the kernel's first. */
function hasOwnGroups(host: ContainerFiles): boolean {
  const groups = `${host.roots.sys}/fs/cgroup`;
  // The first cgroup alone lacks a type; older kernels have none at all, nor the list of features.
  if (host.exists(`${groups}/cgroup.events`)) {
    return host.exists(`${groups}/cgroup.type`) ||
      !host.exists(`${host.roots.sys}/kernel/cgroup/features`);
  }
  // In version 1 the first one alone has the other file.
  return host.exists(`${groups}/systemd`) && !host.exists(`${groups}/systemd/release_agent`);
}

const DMI_FILES = [
  "product_name",
  "sys_vendor",
  "board_vendor",
  "bios_vendor",
  "product_version",
  "chassis_vendor",
] as const;

/** Hypervisors by the prefix of a DMI string. */
const DMI_PREFIXES: ReadonlyArray<readonly [string, string]> = [
  ["KVM", "kvm"],
  ["OpenStack", "kvm"],
  ["KubeVirt", "kvm"],
  ["Amazon EC2", "amazon"],
  ["QEMU", "qemu"],
  ["VMware", "vmware"],
  ["VMW", "vmware"],
  ["innotek GmbH", "oracle"],
  ["VirtualBox", "oracle"],
  ["Xen", "xen"],
  ["Bochs", "bochs"],
  ["Parallels", "parallels"],
  ["BHYVE", "bhyve"],
  ["Hyper-V", "microsoft"],
  ["Apple Virtualization", "apple"],
  ["Google Compute Engine", "google"],
];

/** DMI strings that are believed before the processor: these hypervisors use others' techniques. */
const CERTAIN: ReadonlySet<string> = new Set(["oracle", "xen", "amazon", "parallels", "google"]);

/** Hypervisors by a part of the device tree's `hypervisor/compatible`. */
const DEVICE_TREE_SIGNS: ReadonlyArray<readonly [string, string]> = [
  ["linux,kvm", "kvm"],
  ["xen", "xen"],
  ["vmware", "vmware"],
];

/** A maker of servers, too, whose machines have its name without a hypervisor. */
const ORACLE = "Oracle Corporation";

/** Bit of the hexadecimal `/sys/hypervisor/properties/features` that is set in Xen's dom0. */
const XEN_FIRST_DOMAIN = 1 << 11;

/**
 * Hypervisor of the machine, as systemd-detect-virt names it; `undefined` without a sign of one.
 *
 * Reads DMI (`/sys/class/dmi/id`), the hypervisor's own files, the clock sources and the device tree;
 * `underHypervisor` is the processor's flag, for hypervisors without another sign. The clock sources
 * stand in for the processor's own words, for which native code would be needed.
 */
export function virtualMachineKind(host: Files, underHypervisor: boolean): string | undefined {
  const { proc, sys } = host.roots;
  const bySigns = byDmi(host, underHypervisor);
  if (bySigns !== undefined && CERTAIN.has(bySigns)) return bySigns;
  const xen = byXen(host);
  if (xen === "xen") return xen;
  const clocks = host.readText(
    `${sys}/devices/system/clocksource/clocksource0/available_clocksource`,
  ) ?? "";
  // QEMU has the same DMI strings with KVM and with emulation; only KVM has its clock source.
  if (/\bkvm-clock\b/.test(clocks)) return "kvm";
  if (xen === "none") return undefined;
  if (/\bxen\b/.test(clocks)) return "xen";
  const isOther = underHypervisor || hasFirmwareBit(host) === true;
  return bySigns ?? byHypervisorType(host) ?? byDeviceTree(host) ??
    byControlProgram(host.readText(`${proc}/sysinfo`)) ??
    // KVM shows this clock, too, to guests that know Hyper-V alone.
    (/\bhyperv_/.test(clocks) ? "microsoft" : isOther ? "vm-other" : undefined);
}

function byDmi(host: Files, underHypervisor: boolean): string | undefined {
  const texts = DMI_FILES.map((name) =>
    host.readText(`${host.roots.sys}/class/dmi/id/${name}`)?.trim() ?? ""
  );
  const [product = "", vendor = ""] = texts;
  if (vendor === "Microsoft Corporation" && product === "Virtual Machine") return "microsoft";
  const has = (sign: string) => texts.some((text) => text.startsWith(sign));
  const kind = lookup(DMI_PREFIXES, has) ?? (underHypervisor && has(ORACLE) ? "oracle" : undefined);
  // Amazon's bare-metal instances have the same DMI vendor.
  const isMetal = kind === "amazon" && !(hasFirmwareBit(host) ?? !/\.metal(?:-|$)/.test(product));
  return isMetal ? undefined : kind;
}

/** Whether the firmware says that this is a virtual machine, which root may read. */
function hasFirmwareBit(host: Files): boolean | undefined {
  const table = host.readBytes(`${host.roots.sys}/firmware/dmi/entries/0-0/raw`);
  const length = table?.[1] ?? 0;
  const flags = table?.[19];
  return flags === undefined || length < 20 ? undefined : (flags & 1 << 4) !== 0;
}

/** A hypervisor that has a type and is not Xen. */
function byHypervisorType(host: Files): string | undefined {
  return host.readText(`${host.roots.sys}/hypervisor/type`)?.trim() ? "vm-other" : undefined;
}

function byXen(host: Files): string | undefined {
  const { proc, sys } = host.roots;
  const type = host.readText(`${sys}/hypervisor/type`)?.trim();
  if (type !== "xen" && !host.exists(`${proc}/xen`)) return undefined;
  // dom0 is the machine itself.
  const features = parseInt(host.readText(`${sys}/hypervisor/properties/features`) ?? "", 16);
  const isFirst = Number.isNaN(features)
    ? host.readText(`${proc}/xen/capabilities`)?.includes("control_d") ?? false
    : (features & XEN_FIRST_DOMAIN) !== 0;
  return isFirst ? "none" : "xen";
}

function byDeviceTree(host: Files): string | undefined {
  const tree = `${host.roots.proc}/device-tree`;
  const hypervisor = host.readText(`${tree}/hypervisor/compatible`);
  if (hypervisor !== undefined) {
    return lookup(DEVICE_TREE_SIGNS, (sign) => hypervisor.includes(sign)) ?? "vm-other";
  }
  // IBM's firmware partitions a machine; QEMU emulates it for its guests.
  const isPartition = host.exists(`${tree}/ibm,partition-name`) &&
    host.exists(`${tree}/hmc-managed?`) && !host.exists(`${tree}/chosen/qemu,graphic-width`);
  if (isPartition) return "powervm";
  const model = host.readText(`${tree}/model`) ?? "";
  const compatible = host.readText(`${tree}/compatible`) ?? "";
  const isEmulated = model.startsWith("linux,dummy-virt") || compatible.includes("qemu,") ||
    (host.list(tree) ?? []).some((name) => name.startsWith("fw-cfg"));
  return isEmulated ? "qemu" : undefined;
}

/** On s390x, `VM00 Control Program: z/VM 7.2.0`. */
function byControlProgram(sysinfo: string | undefined): string | undefined {
  const program = /^VM00 Control Program:\s*(.*)$/m.exec(sysinfo ?? "")?.[1];
  if (program === undefined) return undefined;
  return program.startsWith("z/VM") ? "zvm" : "kvm";
}

function lookup<T>(
  rows: ReadonlyArray<readonly [T, string]>,
  matches: (sign: T) => boolean,
): string | undefined {
  return rows.find(([sign]) => matches(sign))?.[1];
}

/**
 * Virtualization as systemd-detect-virt names it: the container, else the hypervisor, else `none`;
 * `undefined` when nothing is known.
 *
 * With the `/proc` and root of a host in `host.roots` the result is that host's, whatever container
 * the agent runs in.
 */
export function virtualization(host: Files, cpu: CpuInfo | undefined): string | undefined {
  return containerKind(host) ??
    (cpu?.vendor === "User Mode Linux" ? "uml" : undefined) ??
    virtualMachineKind(host, cpu?.underHypervisor ?? false) ??
    (cpu === undefined ? undefined : "none");
}
