import { assertEquals } from "@std/assert";
import { cpuFacts, machineFacts, osName } from "../../lib/metrics/machine_facts.ts";
import { parseCpuinfo } from "../../lib/parse/cpuinfo.ts";
import { same } from "../cases.ts";
import { assertDataEquals } from "./assert_data.ts";
import { fakeHost } from "./fake_host.ts";

type Files = Record<string, string>;

const BOARD = "Raspberry Pi 4 Model B Rev 1.4";
const CORTEX_A72 = "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd08\n";

const facts = (cpuinfo: string, files: Files = {}) =>
  cpuFacts(fakeHost(files), parseCpuinfo(cpuinfo));

/** A stat with so many cores. */
const stat = (count: number) =>
  "cpu  1 1 1 1\n" + Array.from({ length: count }, (_, at) => `cpu${at} 1 1 1 1\n`).join("");

/** What `/sys` tells of the threads, by their numbers. */
const siblings = (...lists: string[]) =>
  Object.fromEntries(lists.map((list, at) => [
    `/sys/devices/system/cpu/cpu${at}/topology/thread_siblings_list`,
    `${list}\n`,
  ]));

Deno.test("machineFacts() describes a board on arm64, and leaves out what is unknown or empty", () => {
  const host = fakeHost({
    "/proc/cpuinfo": CORTEX_A72,
    "/proc/stat": stat(1),
    "/proc/device-tree/model": `${BOARD}\0`,
    "/proc/sys/kernel/osrelease": "6.1.21-v8+\n",
    "/etc/os-release": 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
  });
  assertDataEquals(machineFacts({ ...host, arch: "aarch64" }), {
    ...{ arch: "arm64", cpuName: BOARD, logicalCores: 1, virtualization: "none" },
    ...{ osName: "Debian GNU/Linux 12 (bookworm)", kernelVersion: "6.1.21-v8+" },
  });
  const folder = "/proc/sys/kernel";
  const empty: Files = { [`${folder}/osrelease`]: "\n", [`${folder}/ostype`]: "\n" };
  for (const files of [{}, empty]) {
    const arch = "riscv64";
    assertDataEquals<unknown>(machineFacts({ ...fakeHost(files), arch }), { arch });
  }
});

Deno.test("cpuFacts() takes the processor's own name, the board's on ARM, or else the core's, or what there is", async () => {
  await same(
    ([cpuinfo, board]: readonly [string, string?]) =>
      facts(cpuinfo, board ? { "/proc/device-tree/model": `${board}\0` } : {}).cpuName,
    [
      [["model name\t: AMD EPYC\n", BOARD], "AMD EPYC"],
      [[CORTEX_A72, BOARD], BOARD],
      [[CORTEX_A72], "Cortex-A72"],
      [[CORTEX_A72, "linux,dummy-virt"], "Cortex-A72"],
      [[`${CORTEX_A72.replace("0xd08", "0xd03")}\n${CORTEX_A72}`], "Cortex-A53 + Cortex-A72"],
      [[""], undefined],
    ],
  );
  assertDataEquals(cpuFacts(fakeHost({}), undefined), {});
});

Deno.test("cpuFacts() counts cores by cpuinfo, else by the topology in /sys", () => {
  const cores = (cpuinfo: string, files: Files) => {
    const { logicalCores, physicalCores } = facts(cpuinfo, files);
    return [logicalCores, physicalCores];
  };
  assertEquals(cores("processor\t: 0\n\nprocessor\t: 1\n", {}), [2, undefined]);
  const others = {
    "/sys/devices/system/cpu/cpu4/online": "0\n",
    "/sys/devices/system/cpu/cpufreq/topology/thread_siblings_list": "9\n",
  };
  const threads = { "/proc/stat": `${stat(4)}intr 1\n`, ...others };
  assertEquals(cores(CORTEX_A72, { ...threads, ...siblings("0-1", "0-1", "2-3", "2-3") }), [4, 2]);
  const numbers = ["0", "0", "1", "1"].map((core, at) =>
    `processor\t: ${at}\nphysical id\t: 0\ncore id\t\t: ${core}\n\n`
  ).join("");
  // In LXC those of /sys may be another machine's.
  const machine = siblings("0", "1", "2", "3", "4", "5", "6", "7");
  assertEquals(cores(numbers, { ...threads, ...machine }), [4, 2]);
  assertEquals(cores(CORTEX_A72, { ...threads, ...machine }), [4, 4]);
});

const RELEASE = "/etc/os-release";
const DEBIAN = `PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
NAME="Debian GNU/Linux"
VERSION="12 (bookworm)"
VERSION_CODENAME=bookworm
`;
const DEBIAN_NAME = "Debian GNU/Linux 12 (bookworm)";
const KERNEL = { "/proc/sys/kernel/ostype": "Linux\n" };
const PROXMOX = { [RELEASE]: DEBIAN, "/usr/bin/pveversion": "" };
const DPKG = "/var/lib/dpkg/status";

Deno.test("osName() is that of os-release, of systems built on others, or of the kernel", async () => {
  await same((files: Files) => osName(fakeHost(files)), [
    [{ [RELEASE]: DEBIAN }, DEBIAN_NAME],
    [{ "/usr/lib/os-release": DEBIAN }, DEBIAN_NAME],
    [{ "/usr/lib/os-release": DEBIAN, [RELEASE]: "PRETTY_NAME=Ours\n" }, "Ours"],
    [{ [RELEASE]: "NAME=Void\nVERSION=1\n" }, "Void 1"],
    [{ [RELEASE]: 'PRETTY_NAME=""\nNAME=Void\n' }, "Void"],
    [{ ...KERNEL, [RELEASE]: "ID=x\n" }, "Linux"],
    [{ [RELEASE]: "ID=x\n" }, undefined],
    [{}, undefined],
    [
      {
        ...PROXMOX,
        [DPKG]: "Package: a\nVersion: 8\n\nPackage: pve-manager\nVersion: 8.4.1~rc1\n",
      },
      "Proxmox VE 8.4.1 (bookworm)",
    ],
    [{ ...PROXMOX, [DPKG]: "Package: pve-manager\nVersion: 9.12" }, "Proxmox VE 9.12 (bookworm)"],
    [{ ...PROXMOX, [DPKG]: "Package: pve-docs\nVersion: 8.4.0\n" }, "Proxmox VE (bookworm)"],
    [
      {
        "/etc/synoinfo.conf": 'company_title="Synology"\nupnpmodelname="DS920+"\n',
        "/etc.defaults/VERSION": 'majorversion="7"\nproductversion="7.2"\n',
      },
      "Synology DS920+ DSM 7.2",
    ],
    [{ [RELEASE]: DEBIAN, "/usr/trim/etc/version": "1.1.11\n" }, "fnOS 1.1.11"],
    [{ [RELEASE]: DEBIAN, "/usr/trim/etc/version": "<html>\n" }, DEBIAN_NAME],
  ]);
  const host = fakeHost({ [RELEASE]: DEBIAN, "/host/proc/1/root/etc/os-release": "NAME=Host\n" });
  const roots = { proc: "/host/proc", sys: "/sys", root: "/host/proc/1/root" };
  assertEquals(osName({ ...host, roots }), "Host");
});
