import { assertEquals, assertGreaterOrEqual } from "@std/assert";
import { LocalHost } from "../../lib/host/local_host.ts";
import {
  type CpuFacts,
  cpuFacts,
  machineFacts,
  osName,
  withOnlineCores,
} from "../../lib/metrics/machine_facts.ts";
import { parseCpuinfo } from "../../lib/parse/cpuinfo.ts";
import { assertDataEquals } from "./assert_data.ts";
import { fakeHost } from "./fake_host.ts";
import { onLinux } from "../only_on.ts";

Deno.test("machineFacts() describes a board on arm64", () => {
  const host = fakeHost({
    "/proc/cpuinfo": "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd08\n",
    "/proc/stat": "cpu  1 1 1 1\ncpu0 1 1 1 1\n",
    "/proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.4\0",
    "/proc/sys/kernel/osrelease": "6.1.21-v8+\n",
    "/sys/class/drm/card0/device/uevent": "DRIVER=v3d\n",
    "/etc/os-release": 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
  });
  assertDataEquals(machineFacts({ ...host, arch: "aarch64" }), {
    arch: "arm64",
    cpuName: "Raspberry Pi 4 Model B Rev 1.4",
    logicalCores: 1,
    gpuName: "Broadcom VideoCore",
    osName: "Debian GNU/Linux 12 (bookworm)",
    kernelVersion: "6.1.21-v8+",
    virtualization: "none",
  });
});

Deno.test("machineFacts() leaves out everything on an empty machine", () => {
  assertDataEquals(machineFacts({ ...fakeHost({}), arch: "riscv64" }), { arch: "riscv64" });
});

Deno.test("cpuFacts() counts the cores without /proc/stat by cpuinfo, else by those online", () => {
  const online = "/sys/devices/system/cpu/online";
  const cores = (cpuinfo: string, text: string) =>
    facts(cpuinfo, { [online]: text, "/proc/stat": "" }).logicalCores;
  assertDataEquals(cores("processor\t: 0\n\nprocessor\t: 1\n", "0-7\n"), 2);
  assertDataEquals(cores("processor 0: version = FF\nprocessor 1: version = FF\n", "0-7\n"), 2);
  assertDataEquals(cores("", "0\n"), 1);
  assertDataEquals(cores("", "0-3,6,8-9\n"), 7);
  for (const text of ["", "3-", "all", "0-123456"]) assertDataEquals(cores("", text), undefined);
});

onLinux.test("machineFacts() describes the machine that the test runs on", () => {
  const facts = machineFacts(new LocalHost());
  // The runtime counts only the cores that it may use.
  assertGreaterOrEqual(facts.logicalCores, navigator.hardwareConcurrency);
  assertDataEquals(facts.kernelVersion, Deno.osRelease());
});

const CORTEX_A72 = "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd08\n";
const ARM_V7 = `processor\t: 0\nmodel name\t: ARMv7 Processor rev 4 (v7l)\n`;

function facts(cpuinfo: string, files: Record<string, string> = {}): CpuFacts {
  return cpuFacts(fakeHost(files), parseCpuinfo(cpuinfo));
}

const BOARD = "Raspberry Pi 4 Model B Rev 1.4";

Deno.test("cpuFacts() takes the processor's own name, the board's on ARM, or else the core's, or what there is", () => {
  const little = CORTEX_A72.replace("0xd08", "0xd03");
  const table: [cpuinfo: string, board: string | undefined, name: string | undefined][] = [
    ["model name\t: AMD EPYC\n", BOARD, "AMD EPYC"],
    ["cpu model\t: MIPS 24Kc V7.4\n", BOARD, "MIPS 24Kc V7.4"],
    [CORTEX_A72, BOARD, BOARD],
    [ARM_V7, BOARD, BOARD],
    ["processor\t: 0\nmodel name\t: AArch64 Processor rev 4 (aarch64)\n", BOARD, BOARD],
    [CORTEX_A72, undefined, "Cortex-A72"],
    [CORTEX_A72, "linux,dummy-virt", "Cortex-A72"],
    [`${little}\n${CORTEX_A72}`, undefined, "Cortex-A53 + Cortex-A72"],
    [ARM_V7, undefined, "ARMv7 Processor rev 4 (v7l)"],
    ["vendor_id\t: GenuineIntel\n", undefined, "GenuineIntel"],
  ];
  for (const [cpuinfo, board, name] of table) {
    const files: Record<string, string> = board === undefined
      ? {}
      : { "/proc/device-tree/model": `${board}\0` };
    assertEquals(facts(cpuinfo, files).cpuName, name);
  }
  assertDataEquals([facts(""), cpuFacts(fakeHost({}), undefined)], [{}, {}]);
});

Deno.test("cpuFacts() counts the cores by topology when cpuinfo has none", () => {
  const cpu = "/sys/devices/system/cpu";
  const { logicalCores, physicalCores } = facts(CORTEX_A72, {
    "/proc/stat": "cpu  1 1 1 1\ncpu0 1 1 1 1\ncpu1 1 1 1 1\ncpu2 1 1 1 1\ncpu3 1 1 1 1\nintr 1\n",
    [`${cpu}/cpu0/topology/thread_siblings_list`]: "0-1\n",
    [`${cpu}/cpu1/topology/thread_siblings_list`]: "0-1\n",
    [`${cpu}/cpu2/topology/thread_siblings_list`]: "2-3\n",
    [`${cpu}/cpu3/topology/thread_siblings_list`]: "2-3\n",
    [`${cpu}/cpu4/online`]: "0\n",
    [`${cpu}/cpufreq/topology/thread_siblings_list`]: "9\n",
  });
  assertDataEquals([logicalCores, physicalCores], [4, 2]);
});

Deno.test("cpuFacts() counts the cores of a processor of several dies, whose numbers repeat", () => {
  const cpus = ["0", "1", "0", "1"];
  const cpuinfo = cpus.map((core, at) =>
    `processor\t: ${at}\nmodel name\t: AMD EPYC 7251\nphysical id\t: 0\ncore id\t\t: ${core}\n\n`
  ).join("");
  const stat = {
    "/proc/stat": "cpu  1 1 1 1\n" + cpus.map((_, at) => `cpu${at} 1 1 1 1\n`).join(""),
  };
  const topology = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, at) => [
      `/sys/devices/system/cpu/cpu${at}/topology/thread_siblings_list`,
      `${at}\n`,
    ]));
  assertEquals(facts(cpuinfo, { ...stat, ...topology(4) }).physicalCores, 4);
  // Another machine's, as in LXC.
  assertEquals(facts(cpuinfo, { ...stat, ...topology(8) }).physicalCores, 2);
});

const S390X = `vendor_id       : IBM/S390
# processors    : 2
processor 0: version = FF,  identification = 2733E8,  machine = 3906
processor 1: version = FF,  identification = 2733E8,  machine = 3906

cpu number      : 0
physical id     : 1
core id         : 0

cpu number      : 1
physical id     : 1
core id         : 0
`;

Deno.test("cpuFacts() reads s390x with two threads of one core", () => {
  const stat = { "/proc/stat": "cpu  1 1 1 1\ncpu0 1 1 1 1\ncpu1 1 1 1 1\n" };
  assertDataEquals(facts(S390X, stat), {
    cpuName: "IBM/S390 3906",
    logicalCores: 2,
    physicalCores: 1,
  });
});

Deno.test("withOnlineCores() follows the threads, and returns no more cores than threads", () => {
  const facts = { arch: "amd64", logicalCores: 8, physicalCores: 4 };
  const stat = (count: number): string =>
    "cpu  1 1 1 1\n" + Array.from({ length: count }, (_, at) => `cpu${at} 1 1 1 1\n`).join("");
  assertDataEquals(withOnlineCores(facts, stat(6)), { ...facts, logicalCores: 6 });
  assertDataEquals(withOnlineCores(facts, stat(3)), {
    ...facts,
    logicalCores: 3,
    physicalCores: 3,
  });
  assertDataEquals(withOnlineCores({ arch: "amd64" }, stat(3)), { arch: "amd64", logicalCores: 3 });
  for (const text of [undefined, "", "malformed"]) {
    assertDataEquals(withOnlineCores(facts, text), facts);
  }
});

const DEBIAN = `PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
NAME="Debian GNU/Linux"
VERSION="12 (bookworm)"
VERSION_CODENAME=bookworm
ID=debian
`;
const PACKAGES = `Package: pve-docs
Version: 8.4.0

Package: pve-manager
Status: install ok installed
Depends: perl
Version: 8.4.1~rc1

Package: zsh
Version: 5.9-4
`;

function osNameOf(files: Record<string, string>): string | undefined {
  return osName(fakeHost(files));
}

Deno.test("osName() is that of os-release, of the files of older systems, or of the kernel", () => {
  const release = (text: string) => ({ "/etc/os-release": text });
  const lsb = 'DISTRIB_ID=LinuxMint\nDISTRIB_DESCRIPTION="Linux Mint 17 Qiana"\n';
  const redhat = { "/etc/redhat-release": "CentOS release 6.10 (Final)\nmore\n" };
  const kernel = { "/proc/sys/kernel/ostype": "Linux\n" };
  const table: [files: Record<string, string>, name: string | undefined][] = [
    [release(DEBIAN), "Debian GNU/Linux 12 (bookworm)"],
    [{ "/usr/lib/os-release": DEBIAN }, "Debian GNU/Linux 12 (bookworm)"],
    [{ "/usr/lib/os-release": DEBIAN, ...release("PRETTY_NAME=Ours\n") }, "Ours"],
    [release("NAME=Void\nVERSION=1\n"), "Void 1"],
    [release("NAME=Void\n"), "Void"],
    [release('PRETTY_NAME=""\nNAME=Void\n'), "Void"],
    [release('PRETTY_NAME_2="Other"\nNAME=Void\n'), "Void"],
    [{ "/etc/lsb-release": lsb }, "Linux Mint 17 Qiana"],
    [redhat, "CentOS release 6.10 (Final)"],
    [{ ...redhat, ...release("PRETTY_NAME=New\n") }, "New"],
    [kernel, "Linux"],
    [{ ...kernel, ...release("ID=x\n") }, "Linux"],
    [release("ID=x\n"), undefined],
    [{}, undefined],
  ];
  for (const [files, name] of table) assertEquals(osNameOf(files), name, JSON.stringify(files));
});

Deno.test("osName() knows Proxmox VE by its package", () => {
  const files = {
    "/etc/os-release": DEBIAN,
    "/usr/bin/pveversion": "",
    "/var/lib/dpkg/status": PACKAGES,
  };
  assertEquals(osNameOf(files), "Proxmox VE 8.4.1 (bookworm)");
  assertEquals(osNameOf({ "/usr/bin/pveversion": "" }), "Proxmox VE");
  const without = { ...files, "/var/lib/dpkg/status": "Package: pve-docs\nVersion: 8.4.0\n" };
  assertEquals(osNameOf(without), "Proxmox VE (bookworm)");
  const last = { ...files, "/var/lib/dpkg/status": "Package: pve-manager\nVersion: 9.12" };
  assertEquals(osNameOf(last), "Proxmox VE 9.12 (bookworm)");
});

Deno.test("osName() knows Synology DSM by its model and version", () => {
  const info = 'company_title="Synology"\nupnpmodelname="DS920+"\n';
  const version = 'majorversion="7"\nminorversion="2"\nproductversion="7.2"\n';
  const files = { "/etc/synoinfo.conf": info, "/etc.defaults/VERSION": version };
  assertEquals(osNameOf(files), "Synology DS920+ DSM 7.2");
  assertEquals(osNameOf({ "/etc.defaults/synoinfo.conf": "" }), "Synology DSM");
});

Deno.test("osName() knows fnOS by its version", () => {
  const files = { "/etc/os-release": DEBIAN, "/usr/trim/etc/version": "1.1.11\n" };
  assertEquals(osNameOf(files), "fnOS 1.1.11");
  const other = { "/etc/os-release": DEBIAN, "/usr/trim/etc/version": "<html>\n" };
  assertEquals(osNameOf(other), "Debian GNU/Linux 12 (bookworm)");
});

Deno.test("osName() knows Android by its properties", () => {
  const release = "ro.build.version.release=14\n";
  const device = "ro.product.system.brand=google\nro.product.model=Pixel 7\n";
  assertEquals(osNameOf({ "/system/build.prop": release + device }), "Android 14 (google Pixel 7)");
  assertEquals(osNameOf({ "/system/build.prop": release }), "Android 14");
  assertEquals(osNameOf({ "/system/build.prop": "" }), undefined);
});

Deno.test("osName() reads below the given root", () => {
  const host = fakeHost({
    "/etc/os-release": DEBIAN,
    "/host/proc/1/root/etc/os-release": "NAME=Host\n",
  });
  const roots = { proc: "/host/proc", sys: "/sys", root: "/host/proc/1/root" };
  assertEquals(osName({ ...host, roots }), "Host");
});

Deno.test("machineFacts() leaves out what the kernel gives empty", () => {
  const folder = "/proc/sys/kernel";
  const files = { [`${folder}/osrelease`]: "\n", [`${folder}/ostype`]: "\n" };
  const { kernelVersion, osName } = machineFacts({ ...fakeHost(files), arch: "x86_64" });
  assertDataEquals([kernelVersion, osName], [undefined, undefined]);
});
