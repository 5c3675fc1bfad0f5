import { assertEquals } from "@std/assert";
import { containerKind, virtualMachineKind } from "../../lib/metrics/virtualization.ts";
import { same } from "../cases.ts";
import { fakeHost } from "./fake_host.ts";

const LXCFS = "lxcfs /proc/meminfo fuse.lxcfs rw,nosuid,nodev,relatime 0 0\n";

const CONTAINERS: ReadonlyArray<readonly [Record<string, string>, string | undefined]> = [
  [{}, undefined],
  [{ "/proc/1/ns/pid": "-> pid:[4026531836]" }, undefined],
  [{ "/proc/vz/version": "", "/proc/bc/0": "" }, undefined],
  [{ "/proc/vz/version": "" }, "openvz"],
  [{ "/proc/sys/kernel/osrelease": "4.4.0-19041-Microsoft\n" }, "wsl"],
  [{ "/proc/sys/kernel/osrelease": "6.5.0-1015-azure\n" }, undefined],
  [{ "/run/.containerenv": "" }, "podman"],
  [{ "/run/host/container-manager": "lxc\n", "/run/systemd/container": "docker\n" }, "lxc"],
  [{ "/run/host/container-manager": "garden\n", "/.dockerenv": "" }, "container-other"],
  [{ "/run/host/container-manager": "oci\n", "/.dockerenv": "" }, "docker"],
  [{ "/run/systemd/container": "systemd-nspawn\n", "/.dockerenv": "" }, "systemd-nspawn"],
  [{ "/proc/1/environ": "HOME=/\0container=lxc\0" }, "lxc"],
  [{ "/proc/1/environ": "HOME=/\0mycontainer=lxc\0container=\0" }, undefined],
  [{ "/proc/1/environ": "container=oci\0", "/run/.containerenv": "" }, "podman"],
  [{ "/proc/1/cgroup": "12:pids:/docker/0123abc\n" }, "docker"],
  [{ "/proc/1/cgroup": "0::/system.slice/docker-0123abc.scope\n" }, "docker"],
  [{ "/proc/1/cgroup": "0::/user.slice/user-libpod_pod_01.slice/libpod.scope\n" }, "podman"],
  [{ "/proc/1/cgroup": "0::/lxc.payload.web/init.scope\n" }, "lxc"],
  [{ "/proc/1/cgroup": "0::/kubepods/besteffort/pod01\n" }, "container-other"],
  [{ "/proc/mounts": `proc /proc proc rw 0 0\n${LXCFS}` }, "lxc"],
  [{ "/proc/mounts": LXCFS.replace("/proc/", "/host/proc/") }, undefined],
  [{ "/proc/1/ns/pid": "-> pid:[4026532198]" }, "container-other"],
  [{ "/proc/self/ns/pid": "-> pid:[4026532198]" }, "container-other"],
];

Deno.test("containerKind() takes the managers' own names, markers, and traces of the kernel", async () => {
  await same((files) => containerKind(fakeHost(files)), CONTAINERS);
});

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

const dmi = (texts: Record<string, string>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(texts).map(([name, text]) => [`/sys/class/dmi/id/${name}`, `${text}\n`]),
  );

const QEMU_PC = dmi({ sys_vendor: "QEMU", product_name: "Standard PC (i440FX + PIIX, 1996)" });

const HYPERVISORS: ReadonlyArray<readonly [Record<string, string>, string | undefined]> = [
  [{}, undefined],
  [{ ...dmi({ sys_vendor: "Dell Inc." }), [CLOCKS]: "tsc hpet acpi_pm \n" }, undefined],
  [QEMU_PC, "qemu"],
  [{ "/sys/hypervisor/type": "phyp\n" }, "vm-other"],
  [{ ...QEMU_PC, [CLOCKS]: "kvm-clock tsc acpi_pm \n" }, "kvm"],
  [dmi({ sys_vendor: "Hetzner", product_name: "vServer", chassis_vendor: "QEMU" }), "qemu"],
  [{ ...dmi({ sys_vendor: "Alibaba Cloud" }), [CLOCKS]: "kvm-clock tsc acpi_pm \n" }, "kvm"],
  [dmi({ sys_vendor: "VMware, Inc.", product_name: "VMware Virtual Platform" }), "vmware"],
  [dmi({ board_vendor: "Oracle", product_name: "VirtualBox" }), "oracle"],
  // A server of that maker is none of VirtualBox's guests.
  [dmi({ sys_vendor: "Oracle Corporation", product_name: "ORACLE SERVER X9-2" }), undefined],
  [dmi({ sys_vendor: "Microsoft", product_version: "Hyper-V UEFI Release v4.1" }), "microsoft"],
  [dmi({ sys_vendor: "Microsoft Corporation", product_name: "Virtual Machine" }), "microsoft"],
  [dmi({ sys_vendor: "Microsoft Corporation", product_name: "Surface Laptop 3" }), undefined],
  [dmi({ sys_vendor: "Amazon EC2", product_name: "t3.micro" }), "amazon"],
  [dmi({ sys_vendor: "Amazon EC2", product_name: "c5.metal" }), undefined],
  [dmi({ sys_vendor: "Amazon EC2", product_name: "c5.metallic" }), "amazon"],
  // What the processor says is that of KVM, and DMI what its user has set.
  [{ ...dmi({ sys_vendor: "VMware, Inc." }), [CLOCKS]: "kvm-clock tsc\n" }, "kvm"],
  [{ ...dmi({ product_name: "Google Compute Engine" }), [CLOCKS]: "kvm-clock tsc\n" }, "google"],
  [{ ...QEMU_PC, [CLOCKS]: "hyperv_clocksource_tsc_page tsc\n" }, "qemu"],
  [{ "/proc/xen/capabilities": "control_d\n", [CLOCKS]: "kvm-clock xen tsc\n" }, "kvm"],
  [dmi({ sys_vendor: "Parallels Software International Inc." }), "parallels"],
  [dmi({ sys_vendor: "Xen", product_name: "HVM domU" }), "xen"],
  [{ "/sys/hypervisor/type": "xen\n" }, "xen"],
  [{ "/proc/xen/capabilities": "" }, "xen"],
  [{ "/proc/xen/capabilities": "control_d\n", [CLOCKS]: "tsc xen hpet \n" }, undefined],
  [{ [CLOCKS]: "xen tsc \n" }, "xen"],
  [{ [CLOCKS]: "hyperv_clocksource_tsc_page acpi_pm \n" }, "microsoft"],
  [{ "/proc/device-tree/hypervisor/compatible": "linux,kvm\0" }, "kvm"],
  [{ "/proc/device-tree/hypervisor/compatible": "acme,hyper\0" }, "vm-other"],
];

Deno.test("virtualMachineKind() goes by DMI, clocks and the kernel's own files, and last by the processor's flag", async () => {
  await same((files) => virtualMachineKind(fakeHost(files), false), HYPERVISORS);
  assertEquals(virtualMachineKind(fakeHost({}), true), "vm-other");
  assertEquals(virtualMachineKind(fakeHost(QEMU_PC), true), "qemu");
});
