import { assertEquals } from "@std/assert";
import { virtualMachineKind } from "../../lib/metrics/virtualization.ts";
import { fakeHost } from "./fake_host.ts";

const CLOCKS = "/sys/devices/system/clocksource/clocksource0/available_clocksource";

function dmi(texts: Record<string, string>): Record<string, string> {
  const entries = Object.entries(texts).map(([name, text]) =>
    [`/sys/class/dmi/id/${name}`, `${text}\n`] as const
  );
  return Object.fromEntries(entries);
}

const QEMU_PC = dmi({ sys_vendor: "QEMU", product_name: "Standard PC (i440FX + PIIX, 1996)" });

const ROWS: ReadonlyArray<readonly [string | undefined, Record<string, string>]> = [
  [undefined, {}],
  [undefined, { ...dmi({ sys_vendor: "Dell Inc." }), [CLOCKS]: "tsc hpet acpi_pm \n" }],
  ["qemu", QEMU_PC],
  ["kvm", { ...QEMU_PC, [CLOCKS]: "kvm-clock tsc acpi_pm \n" }],
  ["kvm", dmi({ sys_vendor: "QEMU", product_name: "KVM Virtual Machine" })],
  ["kvm", {
    ...dmi({ sys_vendor: "Hetzner", product_name: "vServer" }),
    [CLOCKS]: "kvm-clock tsc\n",
  }],
  ["qemu", dmi({ sys_vendor: "Hetzner", product_name: "vServer", chassis_vendor: "QEMU" })],
  ["kvm", dmi({ sys_vendor: "OpenStack Foundation" })],
  ["kvm", dmi({ sys_vendor: "KubeVirt", product_name: "None" })],
  ["kvm", { ...dmi({ sys_vendor: "Alibaba Cloud" }), [CLOCKS]: "kvm-clock tsc acpi_pm \n" }],
  ["kvm", {
    ...dmi({ sys_vendor: "DigitalOcean", product_name: "Droplet" }),
    [CLOCKS]: "kvm-clock tsc\n",
  }],
  ["qemu", dmi({ bios_vendor: "SeaBIOS", sys_vendor: "QEMU", product_version: "pc-i440fx-8.1" })],
  ["vmware", dmi({ sys_vendor: "VMware, Inc.", product_name: "VMware Virtual Platform" })],
  ["vmware", dmi({ bios_vendor: "VMW", product_name: "VMW71.00V.0" })],
  ["oracle", dmi({ bios_vendor: "innotek GmbH" })],
  ["oracle", dmi({ board_vendor: "Oracle", product_name: "VirtualBox" })],
  // A server of that maker is none of VirtualBox's guests.
  [undefined, dmi({ sys_vendor: "Oracle Corporation", product_name: "ORACLE SERVER X9-2" })],
  ["bochs", dmi({ bios_vendor: "Bochs" })],
  ["microsoft", dmi({ sys_vendor: "Microsoft", product_version: "Hyper-V UEFI Release v4.1" })],
  ["oracle", dmi({ sys_vendor: "innotek GmbH", product_name: "VirtualBox" })],
  ["microsoft", dmi({ sys_vendor: "Microsoft Corporation", product_name: "Virtual Machine" })],
  [undefined, dmi({ sys_vendor: "Microsoft Corporation", product_name: "Surface Laptop 3" })],
  ["google", dmi({ sys_vendor: "Google", product_name: "Google Compute Engine" })],
  ["amazon", dmi({ sys_vendor: "Amazon EC2", product_name: "t3.micro" })],
  [undefined, dmi({ sys_vendor: "Amazon EC2", product_name: "c5.metal" })],
  [undefined, dmi({ sys_vendor: "Amazon EC2", product_name: "m5zn.metal-24xl" })],
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

for (const [kind, files] of ROWS) {
  Deno.test(`virtualMachineKind() is ${kind} when there is ${JSON.stringify(files)}`, () => {
    assertEquals(virtualMachineKind(fakeHost(files), false), kind);
  });
}

Deno.test("virtualMachineKind() believes the processor when nothing else tells", () => {
  assertEquals(virtualMachineKind(fakeHost({}), true), "vm-other");
  assertEquals(virtualMachineKind(fakeHost(QEMU_PC), true), "qemu");
});
