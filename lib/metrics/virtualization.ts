import type { Host } from "../host/host.ts";
import type { CpuInfo } from "../parse/cpuinfo.ts";

type Files = Pick<Host, "roots" | "readText" | "exists" | "readLink">;

/** `/proc/1/ns/pid` outside containers; the inode number is fixed in the kernel. */
const FIRST_NAMESPACE = "pid:[4026531836]";

/** Values of `container=` that systemd-detect-virt knows. */
const CONTAINER_MANAGERS: ReadonlySet<string> = new Set([
  ...["docker", "lxc", "lxc-libvirt", "podman", "pouch", "proot", "rkt", "systemd-nspawn", "wsl"],
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
export function containerKind(host: Files): string | undefined {
  const { proc, root } = host.roots;
  if (host.exists(`${proc}/vz`) && !host.exists(`${proc}/bc`)) return "openvz";
  const kernel = host.readText(`${proc}/sys/kernel/osrelease`) ?? "";
  if (/microsoft|WSL/i.test(kernel)) return "wsl";
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

function containerVariable(environment: string | undefined): string | undefined {
  return environment?.split("\0").find((entry) => entry.startsWith("container="))?.slice(10);
}

function containerKindByTraces(host: Files): string | undefined {
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
  return namespace === undefined || namespace === FIRST_NAMESPACE ? undefined : "container-other";
}

const DMI_FILES = [
  ...["product_name", "sys_vendor", "board_vendor", "bios_vendor", "product_version"],
  "chassis_vendor",
];

/** Hypervisors by the start of a DMI string; `sure` ones use others' techniques, and are believed first. */
const DMI_KINDS: ReadonlyArray<readonly [start: RegExp, kind: string, isSure?: "sure"]> = [
  [/^(?:KVM|OpenStack|KubeVirt)/, "kvm"],
  [/^Amazon EC2/, "amazon", "sure"],
  [/^QEMU/, "qemu"],
  [/^(?:VMware|VMW)/, "vmware"],
  [/^(?:innotek GmbH|VirtualBox)/, "oracle", "sure"],
  [/^Xen/, "xen", "sure"],
  [/^Bochs/, "bochs"],
  [/^Parallels/, "parallels", "sure"],
  [/^BHYVE/, "bhyve"],
  [/^(?:Hyper-V|Microsoft Corporation\nVirtual Machine)/, "microsoft"],
  [/^Apple Virtualization/, "apple"],
  [/^Google Compute Engine/, "google", "sure"],
];

/**
 * Hypervisor of the machine, as systemd-detect-virt names it; `undefined` without a sign of one.
 *
 * `underHypervisor` is the processor's flag, for hypervisors without another sign. The clock sources
 * stand in for the processor's own words, for which native code would be needed.
 */
export function virtualMachineKind(host: Files, underHypervisor: boolean): string | undefined {
  const { proc, sys } = host.roots;
  const read = (path: string) => host.readText(path)?.trim() ?? "";
  const texts = DMI_FILES.map((name) => read(`${sys}/class/dmi/id/${name}`));
  const names = [...texts, `${texts[1]}\n${texts[0]}`];
  const [, byDmi, isSure] = DMI_KINDS.find(([start]) => names.some((name) => start.test(name))) ??
    [];
  if (byDmi !== undefined && isSure) {
    // Amazon's bare-metal instances have the same DMI vendor.
    return byDmi === "amazon" && /\.metal(?:-|$)/.test(texts[0] ?? "") ? undefined : byDmi;
  }
  const clocks = read(`${sys}/devices/system/clocksource/clocksource0/available_clocksource`);
  // QEMU has the same DMI strings with KVM and with emulation; only KVM has its clock source.
  if (/\bkvm-clock\b/.test(clocks)) return "kvm";
  const type = read(`${sys}/hypervisor/type`);
  if (type === "xen" || /\bxen\b/.test(clocks) || host.exists(`${proc}/xen`)) {
    // dom0 is the machine itself.
    return read(`${proc}/xen/capabilities`).includes("control_d") ? undefined : "xen";
  }
  const tree = read(`${proc}/device-tree/hypervisor/compatible`);
  if (byDmi !== undefined) return byDmi;
  if (tree !== "") return /kvm/.test(tree) ? "kvm" : "vm-other";
  if (/\bhyperv_/.test(clocks)) return "microsoft";
  return type !== "" || underHypervisor ? "vm-other" : undefined;
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
    virtualMachineKind(host, cpu?.underHypervisor ?? false) ??
    (cpu === undefined ? undefined : "none");
}
