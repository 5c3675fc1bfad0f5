import { assertEquals } from "@std/assert";
import {
  containerKind,
  virtualization,
  virtualMachineKind,
} from "../../lib/metrics/virtualization.ts";
import { parseCpuinfo } from "../../lib/parse/cpuinfo.ts";
import { fakeHost } from "./fake_host.ts";

const METAL = parseCpuinfo("processor\t: 0\nflags\t: fpu vmx\n");
const GUEST = parseCpuinfo("processor\t: 0\nflags\t: fpu hypervisor\n");

Deno.test("virtualization() names the container before the hypervisor, is none on bare metal, is vm-other when only the processor has a sign, and knows User Mode Linux", () => {
  assertEquals(virtualization(fakeHost({ "/.dockerenv": "" }), GUEST), "docker");
  assertEquals(virtualization(fakeHost({}), METAL), "none");
  assertEquals(virtualization(fakeHost({}), GUEST), "vm-other");
  const cpu = parseCpuinfo("vendor_id\t: User Mode Linux\nmodel name\t: UML\n");
  assertEquals(virtualization(fakeHost({}), cpu), "uml");
});

Deno.test("virtualization() returns undefined when nothing is known", () => {
  assertEquals(virtualization(fakeHost({}), undefined), undefined);
});

Deno.test("containerKind() takes the managers' own names", () => {
  const managers = ["docker", "lxc", "lxc-libvirt", "podman", "pouch", "proot", "rkt", "wsl"];
  for (const name of [...managers, "systemd-nspawn"]) {
    assertEquals(containerKind(fakeHost({ "/run/systemd/container": `${name}\n` })), name);
  }
});

const LXCFS = "lxcfs /proc/meminfo fuse.lxcfs rw,nosuid,nodev,relatime 0 0\n";

const CONTAINERS: ReadonlyArray<readonly [string | undefined, Record<string, string>]> = [
  [undefined, {}],
  [undefined, { "/proc/1/environ": "HOME=/\0TERM=linux\0", "/proc/1/cgroup": "0::/init.scope\n" }],
  [undefined, { "/proc/1/ns/pid": "-> pid:[4026531836]" }],
  [undefined, { "/proc/vz/version": "", "/proc/bc/0": "" }],
  ["openvz", { "/proc/vz/version": "" }],
  ["wsl", { "/proc/sys/kernel/osrelease": "4.4.0-19041-Microsoft\n" }],
  ["wsl", { "/proc/sys/kernel/osrelease": "6.6.36-WSL2+\n" }],
  [undefined, { "/proc/sys/kernel/osrelease": "6.5.0-1015-azure\n" }],
  ["podman", { "/run/.containerenv": "" }],
  ["lxc", { "/run/host/container-manager": "lxc\n", "/run/systemd/container": "docker\n" }],
  ["container-other", { "/run/host/container-manager": "garden\n", "/.dockerenv": "" }],
  ["docker", { "/run/host/container-manager": "oci\n", "/.dockerenv": "" }],
  ["proot", { "/proc/self/status": "Name:\tsh\nTracerPid:\t7\n", "/proc/7/comm": "proot\n" }],
  ["proot", {
    ...{ "/proc/self/status": "TracerPid:\t7\n", "/proc/7/comm": "proot-x86_64\n" },
    "/run/systemd/container": "docker\n",
  }],
  [undefined, { "/proc/self/status": "TracerPid:\t7\n", "/proc/7/comm": "strace\n" }],
  [undefined, { "/proc/self/status": "TracerPid:\t0\n", "/proc/0/comm": "proot\n" }],
  ["container-other", {
    ...{ "/sys/fs/cgroup/cgroup.type": "domain\n", "/sys/fs/cgroup/cgroup.events": "" },
    "/sys/kernel/cgroup/features": "nsdelegate\n",
  }],
  [undefined, {
    "/sys/fs/cgroup/cgroup.events": "",
    "/sys/kernel/cgroup/features": "nsdelegate\n",
  }],
  ["container-other", { "/sys/fs/cgroup/cgroup.events": "populated 1\n" }],
  ["container-other", { "/sys/fs/cgroup/systemd/tasks": "" }],
  [undefined, { "/sys/fs/cgroup/systemd/tasks": "", "/sys/fs/cgroup/systemd/release_agent": "" }],
  ["docker", { "/.dockerenv": "" }],
  ["systemd-nspawn", { "/run/systemd/container": "systemd-nspawn\n", "/.dockerenv": "" }],
  ["lxc", { "/proc/1/environ": "HOME=/\0container=lxc\0" }],
  [undefined, { "/proc/1/environ": "HOME=/\0mycontainer=lxc\0container=\0" }],
  ["podman", { "/proc/1/environ": "container=oci\0", "/run/.containerenv": "" }],
  ["container-other", { "/proc/1/environ": "container=oci\0" }],
  ["docker", { "/proc/1/cgroup": "12:pids:/docker/0123abc\n" }],
  ["docker", { "/proc/1/cgroup": "0::/system.slice/docker-0123abc.scope\n" }],
  ["podman", { "/proc/1/cgroup": "0::/machine.slice/libpod-0123abc.scope\n" }],
  ["podman", { "/proc/1/cgroup": "0::/user.slice/user-libpod_pod_01.slice/libpod.scope\n" }],
  ["lxc", { "/proc/1/cgroup": "0::/lxc.payload.web/init.scope\n" }],
  ["lxc", { "/proc/1/cgroup": "12:pids:/lxc/web\n" }],
  ["container-other", { "/proc/1/cgroup": "0::/kubepods/besteffort/pod01\n" }],
  ["lxc", { "/proc/mounts": `proc /proc proc rw 0 0\n${LXCFS}` }],
  [undefined, { "/proc/mounts": "lxcfs /var/lib/lxcfs fuse.lxcfs rw 0 0\n" }],
  [undefined, { "/proc/mounts": LXCFS.replace("/proc/", "/host/proc/") }],
  ["container-other", { "/proc/1/ns/pid": "-> pid:[4026532198]" }],
  ["container-other", { "/proc/self/ns/pid": "-> pid:[4026532198]" }],
  [undefined, { "/proc/self/ns/pid": "-> pid:[4026531836]" }],
];

for (const [kind, files] of CONTAINERS) {
  Deno.test(`containerKind() is ${kind} when there is ${JSON.stringify(files)}`, () => {
    assertEquals(containerKind(fakeHost(files)), kind);
  });
}

Deno.test("containerKind() describes the host when the roots are the host's", () => {
  const host = fakeHost({
    "/.dockerenv": "",
    "/host/proc/1/environ": "HOME=/\0",
    "/host/proc/self/ns/pid": "-> pid:[4026532198]",
  });
  const roots = { proc: "/host/proc", sys: "/sys", root: "/host/proc/1/root" };
  assertEquals(containerKind({ ...host, roots }), undefined);
});

const CLOCKS = "/sys/devices/system/clocksource/clocksource0/available_clocksource";

function dmi(texts: Record<string, string>): Record<string, string> {
  const entries = Object.entries(texts).map(([name, text]) =>
    [`/sys/class/dmi/id/${name}`, `${text}\n`] as const
  );
  return Object.fromEntries(entries);
}

/** A table of the firmware with the byte that has the bit of virtual machines, whose bytes before are no UTF-8. */
function firmware(flags: number, length = 24): Record<string, string> {
  const bytes = [0, length, 0, 0, 1, 2, 0xe8, 0xe8, 3, 0xff, ...Array(9).fill(0xc3), flags];
  return { "/sys/firmware/dmi/entries/0-0/raw": String.fromCharCode(...bytes) };
}

const QEMU_PC = dmi({ sys_vendor: "QEMU", product_name: "Standard PC (i440FX + PIIX, 1996)" });

const HYPERVISORS: ReadonlyArray<readonly [string | undefined, Record<string, string>]> = [
  [undefined, {}],
  [undefined, { ...dmi({ sys_vendor: "Dell Inc." }), [CLOCKS]: "tsc hpet acpi_pm \n" }],
  ["qemu", QEMU_PC],
  ["vm-other", { "/sys/hypervisor/type": "phyp\n" }],
  ["kvm", { ...QEMU_PC, [CLOCKS]: "kvm-clock tsc acpi_pm \n" }],
  ["kvm", dmi({ sys_vendor: "QEMU", product_name: "KVM Virtual Machine" })],
  ["qemu", dmi({ sys_vendor: "Hetzner", product_name: "vServer", chassis_vendor: "QEMU" })],
  ["kvm", dmi({ sys_vendor: "OpenStack Foundation" })],
  ["kvm", dmi({ sys_vendor: "KubeVirt", product_name: "None" })],
  ["kvm", { ...dmi({ sys_vendor: "Alibaba Cloud" }), [CLOCKS]: "kvm-clock tsc acpi_pm \n" }],
  ["vmware", dmi({ sys_vendor: "VMware, Inc.", product_name: "VMware Virtual Platform" })],
  ["vmware", dmi({ bios_vendor: "VMW", product_name: "VMW71.00V.0" })],
  ["oracle", dmi({ bios_vendor: "innotek GmbH" })],
  ["oracle", dmi({ board_vendor: "Oracle", product_name: "VirtualBox" })],
  // A server of that maker is none of VirtualBox's guests.
  [undefined, dmi({ sys_vendor: "Oracle Corporation", product_name: "ORACLE SERVER X9-2" })],
  ["kvm", dmi({ board_vendor: "KVM" })],
  ["bochs", dmi({ bios_vendor: "Bochs" })],
  ["microsoft", dmi({ sys_vendor: "Microsoft", product_version: "Hyper-V UEFI Release v4.1" })],
  ["oracle", dmi({ sys_vendor: "innotek GmbH", product_name: "VirtualBox" })],
  ["microsoft", dmi({ sys_vendor: "Microsoft Corporation", product_name: "Virtual Machine" })],
  [undefined, dmi({ sys_vendor: "Microsoft Corporation", product_name: "Surface Laptop 3" })],
  ["google", dmi({ sys_vendor: "Google", product_name: "Google Compute Engine" })],
  ["amazon", dmi({ sys_vendor: "Amazon EC2", product_name: "t3.micro" })],
  [undefined, dmi({ sys_vendor: "Amazon EC2", product_name: "c5.metal" })],
  [undefined, dmi({ sys_vendor: "Amazon EC2", product_name: "m5zn.metal-24xl" })],
  ["amazon", { ...dmi({ sys_vendor: "Amazon EC2", product_name: "c5.metal" }), ...firmware(0x1c) }],
  [undefined, {
    ...dmi({ sys_vendor: "Amazon EC2", product_name: "t3.micro" }),
    ...firmware(0x0c),
  }],
  ["amazon", dmi({ sys_vendor: "Amazon EC2", product_name: "c5.metallic" })],
  ["vm-other", { ...dmi({ sys_vendor: "Supermicro" }), ...firmware(0x10) }],
  [undefined, { ...dmi({ sys_vendor: "Supermicro" }), ...firmware(0xef) }],
  [undefined, { ...dmi({ sys_vendor: "Supermicro" }), ...firmware(0x10, 18) }],
  ["kvm", { ...dmi({ sys_vendor: "Supermicro" }), ...firmware(0x10), [CLOCKS]: "kvm-clock\n" }],
  // What the processor says is that of KVM, and DMI what its user has set.
  ["kvm", { ...dmi({ sys_vendor: "VMware, Inc." }), [CLOCKS]: "kvm-clock tsc\n" }],
  ["google", { ...dmi({ product_name: "Google Compute Engine" }), [CLOCKS]: "kvm-clock tsc\n" }],
  ["qemu", { ...QEMU_PC, [CLOCKS]: "hyperv_clocksource_tsc_page tsc\n" }],
  ["kvm", { "/proc/xen/capabilities": "control_d\n", [CLOCKS]: "kvm-clock xen tsc\n" }],
  ["parallels", dmi({ sys_vendor: "Parallels Software International Inc." })],
  ["bhyve", dmi({ bios_vendor: "BHYVE" })],
  ["apple", dmi({ product_name: "Apple Virtualization Generic Platform" })],
  ["xen", dmi({ sys_vendor: "Xen", product_name: "HVM domU" })],
  ["xen", { "/sys/hypervisor/type": "xen\n" }],
  ["xen", { "/proc/xen/capabilities": "" }],
  [undefined, { "/proc/xen/capabilities": "control_d\n", [CLOCKS]: "tsc xen hpet \n" }],
  [undefined, {
    "/sys/hypervisor/type": "xen\n",
    "/sys/hypervisor/properties/features": "00002fcd\n",
  }],
  ["xen", {
    "/sys/hypervisor/type": "xen\n",
    "/sys/hypervisor/properties/features": "00000705\n",
    "/proc/xen/capabilities": "control_d\n",
  }],
  ["xen", { [CLOCKS]: "xen tsc \n" }],
  ["kvm", { [CLOCKS]: "tsc kvm-clock \n" }],
  ["microsoft", { [CLOCKS]: "hyperv_clocksource_tsc_page acpi_pm \n" }],
  ["kvm", { "/proc/device-tree/hypervisor/compatible": "linux,kvm\0" }],
  ["xen", { "/proc/device-tree/hypervisor/compatible": "xen,xen-4.17\0xen,xen\0" }],
  ["vm-other", { "/proc/device-tree/hypervisor/compatible": "acme,hyper\0" }],
  ["vmware", { "/proc/device-tree/hypervisor/compatible": "vmware\0" }],
  [undefined, { "/proc/device-tree/ibm,partition-name": "lpar1\0" }],
  [undefined, { "/proc/device-tree/hmc-managed?": "" }],
  ["powervm", {
    "/proc/device-tree/ibm,partition-name": "lpar1\0",
    "/proc/device-tree/hmc-managed?": "",
  }],
  ["qemu", {
    "/proc/device-tree/ibm,partition-name": "guest\0",
    "/proc/device-tree/hmc-managed?": "",
    "/proc/device-tree/chosen/qemu,graphic-width": "",
    "/proc/device-tree/compatible": "qemu,pseries\0",
  }],
  ["qemu", { "/proc/device-tree/model": "linux,dummy-virt\0" }],
  ["qemu", { "/proc/device-tree/fw-cfg@9020000/reg": "" }],
  [undefined, { "/proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.4\0" }],
  ["zvm", { "/proc/sysinfo": "Type: 3906\nVM00 Control Program: z/VM    7.2.0\n" }],
  ["kvm", { "/proc/sysinfo": "Type: 3906\nVM00 Control Program: KVM/Linux\n" }],
  [undefined, { "/proc/sysinfo": "Type: 3906\nLPAR Number: 4\n" }],
];

for (const [kind, files] of HYPERVISORS) {
  Deno.test(`virtualMachineKind() is ${kind} when there is ${JSON.stringify(files)}`, () => {
    assertEquals(virtualMachineKind(fakeHost(files), false), kind);
  });
}

Deno.test("virtualMachineKind() takes Oracle's name for VirtualBox only below a hypervisor, and uses the processor's flag as a last resort", () => {
  const files = dmi({ sys_vendor: "none", board_vendor: "Oracle Corporation" });
  assertEquals(virtualMachineKind(fakeHost(files), true), "oracle");
  assertEquals(virtualMachineKind(fakeHost(files), false), undefined);
  assertEquals(virtualMachineKind(fakeHost({}), true), "vm-other");
  assertEquals(virtualMachineKind(fakeHost(QEMU_PC), true), "qemu");
});
