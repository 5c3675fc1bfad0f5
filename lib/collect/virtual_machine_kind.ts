import type { Host } from "../host/host.ts";

type FilesVirtualMachineKind = Pick<Host, "roots" | "readText" | "exists" | "list">;

const DMI_FILES = [
  "product_name",
  "sys_vendor",
  "board_vendor",
  "bios_vendor",
  "product_version",
  "chassis_vendor",
] as const;

/** How the makers of virtual hardware sign it, by the start of a DMI text. */
const DMI_SIGNS: ReadonlyArray<readonly [string, string]> = [
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

/** Clocks that only a guest is offered. */
const CLOCKS: ReadonlyArray<readonly [RegExp, string]> = [
  [/\bkvm-clock\b/, "kvm"],
  [/\bhyperv_/, "microsoft"],
  [/\bxen\b/, "xen"],
];

/** Hypervisors that the device tree names, by the start of `hypervisor/compatible`. */
const TREE_SIGNS: ReadonlyArray<readonly [string, string]> = [
  ["linux,kvm", "kvm"],
  ["xen", "xen"],
  ["vmware", "vmware"],
];

/** The bit of `/sys/hypervisor/properties/features`, a hexadecimal number, that the first domain has. */
const XEN_FIRST_DOMAIN = 1 << 11;

/**
 * The hypervisor that the machine runs on, in systemd's words; `undefined` when there is no sign
 * of one.
 *
 * Reads DMI (`/sys/class/dmi/id`), the hypervisor's own files, the clocks on offer and the device
 * tree; `underHypervisor` is what the processor says, for those that leave no other sign.
 */
export function virtualMachineKind(
  host: FilesVirtualMachineKind,
  underHypervisor: boolean,
): string | undefined {
  const { proc, sys } = host.roots;
  const signed = byDmi(host);
  if (signed !== undefined && signed !== "qemu" && signed !== "none") return signed;
  const xen = byXen(host);
  if (xen !== undefined) return xen === "none" ? undefined : xen;
  if (signed === "none") return undefined;
  // QEMU signs guests that KVM runs just as those that it emulates; the clock tells them apart.
  const clocks = host.readText(
    `${sys}/devices/system/clocksource/clocksource0/available_clocksource`,
  );
  return find(CLOCKS, (pattern) => pattern.test(clocks ?? "")) ??
    signed ?? byDeviceTree(host) ?? byControlProgram(host.readText(`${proc}/sysinfo`)) ??
    (underHypervisor ? "vm-other" : undefined);
}

function byDmi(host: FilesVirtualMachineKind): string | undefined {
  const texts = DMI_FILES.map((name) =>
    host.readText(`${host.roots.sys}/class/dmi/id/${name}`)?.trim() ?? ""
  );
  const [product = "", vendor = ""] = texts;
  // Amazon signs whole machines as it signs shares of them.
  if (vendor === "Amazon EC2" && product.includes(".metal")) return "none";
  if (vendor === "Microsoft Corporation" && product === "Virtual Machine") return "microsoft";
  return find(DMI_SIGNS, (sign) => texts.some((text) => text.startsWith(sign)));
}

function byXen(host: FilesVirtualMachineKind): string | undefined {
  const { proc, sys } = host.roots;
  const type = host.readText(`${sys}/hypervisor/type`)?.trim();
  if (type !== "xen" && !host.exists(`${proc}/xen`)) return undefined;
  // The first domain is the machine itself, with the hypervisor below it.
  const features = parseInt(host.readText(`${sys}/hypervisor/properties/features`) ?? "", 16);
  const isFirst = Number.isNaN(features)
    ? host.readText(`${proc}/xen/capabilities`)?.includes("control_d") ?? false
    : (features & XEN_FIRST_DOMAIN) !== 0;
  return isFirst ? "none" : "xen";
}

function byDeviceTree(host: FilesVirtualMachineKind): string | undefined {
  const tree = `${host.roots.proc}/device-tree`;
  const hypervisor = host.readText(`${tree}/hypervisor/compatible`);
  if (hypervisor !== undefined) {
    return find(TREE_SIGNS, (sign) => hypervisor.startsWith(sign)) ?? "vm-other";
  }
  // IBM's firmware partitions a machine; QEMU plays the same one for its own guests.
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

function find<T>(
  rows: ReadonlyArray<readonly [T, string]>,
  matches: (sign: T) => boolean,
): string | undefined {
  return rows.find(([sign]) => matches(sign))?.[1];
}
