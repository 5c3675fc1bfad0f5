import { assertEquals } from "@std/assert";
import type { Host, OpenOptions, Roots } from "../../lib/host/host.ts";
import { type Machine, openLinuxMachine } from "../../lib/metrics/machine.ts";
import { Rates } from "../../lib/metrics/rates.ts";
import { Sampler, takeSnapshot } from "../../lib/metrics/snapshot.ts";
import { CPU_TICKS_BYTES } from "../../lib/parse/proc_stat.ts";
import { Shell } from "../../lib/sandbox/shell.ts";
import { writeExecutable } from "../executable.ts";
import { realTurn, timed } from "../fake_time.ts";
import { TempFolder } from "../temp_folder.ts";
import { configOf } from "./config_of.ts";
import { fakeHost } from "./fake_host.ts";

type Files = Record<string, string>;

const OWN: Roots = { proc: "/proc", sys: "/sys", root: "/" };
const HOSTS: Roots = { proc: "/host/proc", sys: "/host/sys", root: "/host" };
const MOUNTINFO = "/proc/self/mountinfo";

/** The trees of one machine, each of whose numbers is made of `n`. */
function trees({ proc, sys, root }: Roots, n: number): Files {
  return {
    [`${proc}/stat`]: `cpu  ${n} 0 0 ${100 - n} 0 0 0 0\n${"cpu0 1 1 1 1\n".repeat(n)}`,
    [`${proc}/meminfo`]: `MemTotal: ${n} kB\nMemFree: 0 kB\nSwapTotal: ${n} kB\nSwapFree: 0 kB\n`,
    [`${proc}/loadavg`]: `${n}.0 0.0 0.0 1/${n} 9\n`,
    [`${proc}/uptime`]: `${n}.5 1.0\n`,
    [`${proc}/cpuinfo`]: `model name : Processor ${n}\n`,
    [`${proc}/sys/kernel/osrelease`]: `6.${n}.0\n`,
    [`${root === "/" ? "" : root}/etc/os-release`]: `PRETTY_NAME="System ${n}"\n`,
    [`${sys}/class/dmi/id/sys_vendor`]: n === 7 ? "QEMU\n" : "VMware\n",
  };
}

/** The files of a network namespace. */
function network(folder: string, n: number): Files {
  const zeros = " 0".repeat(7);
  return {
    [`${folder}/dev`]: `head |\nhead |\n  eth0: ${n}${zeros} ${n}${zeros}\n`,
    [`${folder}/sockstat`]: `TCP: inuse ${n} orphan 0 tw 0 alloc 0 mem 0\nUDP: inuse ${n} mem 0\n`,
    [`${folder}/sockstat6`]: "TCP6: inuse 0\nUDP6: inuse 0\n",
  };
}

/** A container of 7s on a machine of 40s. */
const FILES: Readonly<Files> = {
  ...{ ...trees(OWN, 7), ...network("/proc/net", 7), "/proc/1/stat": "" },
  [MOUNTINFO]: "1 0 8:1 / / rw - ext4 /dev/a rw\n9 1 8:2 / /host rw - ext4 /dev/b rw\n",
  // What the host's /proc calls `net` is still the reader's own.
  ...{ ...trees(HOSTS, 40), ...network("/host/proc/net", 7), ...network("/host/proc/1/net", 40) },
  "/host/proc/1/mountinfo": "1 0 8:2 / / rw - ext4 /dev/b rw\n",
  ...{ "/host/proc/40/stat": "", "/host/proc/41/stat": "" },
};

/** A machine, which files of it were opened, and how long each text was that was read of them. */
function machineAt(
  roots: Roots,
  { files = FILES, args = ["--include-nics", "eth0"], ...parts }:
    & { files?: Readonly<Files>; args?: readonly string[] }
    & Partial<Host> = {},
) {
  const fake = fakeHost(files);
  const opened = new Map<string, OpenOptions | undefined>();
  const read: Record<string, (number | undefined)[]> = {};
  const host: Host = {
    ...{ ...fake, arch: "x86_64", roots },
    open(path, options) {
      opened.set(path, options);
      const file = fake.open(path, options);
      const lengths = read[path] ??= [];
      return {
        read() {
          const text = file.read();
          lengths.push(text?.length);
          return text;
        },
      };
    },
    listFolders: () => undefined,
    openLinkCount: () => undefined,
    statfs(path) {
      (read[path] ??= []).push(0);
      const blocks = path.startsWith("/host") ? 40 : 7;
      return { blockSizeBytes: 1024, blocks, freeBlocks: 0 };
    },
    statfsAsync: () => Promise.reject(new Error("not asked")),
    interfaceAddresses: () => [],
    openLinks: () => undefined,
    ...parts,
  };
  return { machine: openLinuxMachine(host, configOf([...args])), opened, read };
}

/** All numbers of a snapshot, in KiB and whole seconds; the disk and the processes apart. */
function numbers({ collectors }: Machine) {
  const snapshot = takeSnapshot(collectors);
  const { memory, swap, disk, load, traffic, connections, uptimeSeconds, processes } = snapshot;
  assertEquals(snapshot.failures, []);
  const kib = (usage: { totalBytes: number } | undefined) => (usage?.totalBytes ?? NaN) / 1024;
  return [
    Math.round(new Rates().report(snapshot).cpuPercent ?? NaN),
    ...[kib(memory), kib(swap), load?.oneMinute, traffic?.sentBytes, connections?.tcp],
    ...[connections?.udp, Math.floor(uptimeSeconds ?? NaN), kib(disk), processes],
  ];
}

Deno.test("openLinuxMachine() measures what the container sees, or with HOST_PROC the host", () => {
  const sevens = Array(8).fill(7);
  // Both file systems are mounted there.
  assertEquals(numbers(machineAt(OWN).machine), [...sevens, 47, 1]);
  // A container's cgroup with the limit of 7, on a host that is a container, too.
  const limit = {
    "/host/run/systemd/container": "lxc\n",
    "/host/proc/self/cgroup": "0::/\n",
    "/host/proc/self/mountinfo": "1 0 0:9 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
    "/sys/fs/cgroup/memory.max": "7168\n",
    "/sys/fs/cgroup/memory.current": "0\n",
    "/sys/fs/cgroup/memory.stat": "inactive_file 0\nactive_file 0\n",
  };
  const { machine, opened } = machineAt(HOSTS, { files: { ...FILES, ...limit } });
  assertEquals(numbers(machine), [...Array(8).fill(40), 40, 3]);
  const paths = [...opened.keys()];
  // By its own mounts it knows where the host's are seen.
  assertEquals(paths.filter((path) => !path.startsWith("/host/proc/")), [MOUNTINFO]);
  assertEquals(paths.filter((path) => /(?<!1)\/net\//.test(path)), []);
});

timed.test("openLinuxMachine() looks at load and disks less often than at the rest", (time) => {
  const { machine, read } = machineAt(OWN, { args: ["--include-mountpoint", "/"] });
  const sampler = new Sampler(machine.collectors);
  for (let second = 0; second < 11; second++) {
    sampler.sample();
    time.tick(1_000);
  }
  const looks = ["/proc/loadavg", "/", "/proc/uptime"].map((path) => read[path]?.length);
  assertEquals(looks, [4, 3, 11]);
});

Deno.test("openLinuxMachine() opens files as they have to be read", () => {
  const mounts = { hasLongLines: true, hasPaths: true };
  const rows = [[OWN, "self"], [HOSTS, "1"]] as const;
  for (const [roots, process] of rows) {
    const { machine, opened, read } = machineAt(roots);
    const path = `${roots.proc}/${process}/mountinfo`;
    assertEquals(opened.get(path), { ...mounts, isRequired: true });
    if (roots === HOSTS) assertEquals(opened.get(MOUNTINFO), mounts);
    // Only the start of stat is for the CPU: the rest is long on a server of many cores.
    takeSnapshot(machine.collectors);
    const all = FILES[`${roots.proc}/stat`]?.length ?? NaN;
    assertEquals(read[`${roots.proc}/stat`], [Math.min(all, CPU_TICKS_BYTES)]);
    assertEquals(all > CPU_TICKS_BYTES, roots === HOSTS);
  }
});

Deno.test("openLinuxMachine() names what is missing, in part or in all", () => {
  const rows = {
    ...{ stat: "CPU use", meminfo: "memory", "self/mountinfo": "disk space", loadavg: "load" },
    ...{ "net/dev": "network traffic", "net/sockstat": "connections", uptime: "uptime" },
  };
  for (const [file, subject] of Object.entries(rows)) {
    const { [`/proc/${file}`]: _, ...files } = FILES;
    const reasons: string[] = [];
    const { collectors } = machineAt(OWN, { files }).machine;
    const { failures } = takeSnapshot(collectors, ({ error }) => void reasons.push(String(error)));
    assertEquals([failures, reasons], [
      [`cannot measure ${subject}`],
      [`Error: Cannot read /proc/${file}: no such file`],
    ]);
  }
  const odd = (name: string, line: string) => ({ [name]: `${FILES[name] ?? ""}${line}\n` });
  const files = {
    ...{ ...FILES, ...odd(MOUNTINFO, "malformed"), ...odd("/proc/net/dev", "bad: 1") },
    "/proc/net/sockstat": "TCP: inuse 7 orphan 0 tw 0 alloc 0 mem 0\n",
  };
  assertEquals(takeSnapshot(machineAt(OWN, { files }).machine.collectors).failures, [
    "cannot measure part of disk space",
    "cannot measure part of network traffic",
    "cannot measure connections",
  ]);
});

Deno.test("openLinuxMachine() follows the configured lists and mode", () => {
  const meminfo = "MemTotal: 100 kB\nMemFree: 30 kB\nMemAvailable: 80 kB\nCached: 10 kB\n";
  const measured = (...args: string[]) => {
    const files = { ...FILES, "/proc/meminfo": meminfo };
    const { collectors } = machineAt(OWN, { files, args }).machine;
    const { memory, disk, traffic } = takeSnapshot(collectors);
    const bytes = [memory?.usedBytes, disk?.totalBytes].map((it = NaN) => it / 1024);
    return [...bytes, traffic?.sentBytes];
  };
  assertEquals(measured(), [60, 47, 7]);
  assertEquals(measured("--memory-mode", "available"), [20, 47, 7]);
  assertEquals(measured("--include-mountpoint", "/host"), [60, 40, 7]);
  assertEquals(measured("--exclude-nics", "eth0"), [60, 47, 0]);
});

Deno.test("Machine.refresh() waits for file systems that programs serve", async () => {
  const { machine } = machineAt(OWN, {
    files: { ...FILES, [MOUNTINFO]: `${FILES[MOUNTINFO]}8 1 8:9 / /n rw - fuseblk /dev/c rw\n` },
    statfsAsync: () => Promise.resolve({ blockSizeBytes: 1024, blocks: 100, freeBlocks: 0 }),
  });
  await machine.refresh?.();
  assertEquals(takeSnapshot(machine.collectors).disk?.totalBytes, (47 + 100) * 1024);
});

Deno.test("Machine.useShell() lets the shell count processes, and with --gpu ask for NVIDIA's cards", async () => {
  using folder = new TempFolder();
  writeExecutable(`${folder.path}/nvidia-smi`, "#!/bin/sh\necho 'NVIDIA L4, 100, 10, 5, 40'\n");
  Deno.mkdirSync(`${folder.path}/proc/1`, { recursive: true });
  const path = `${folder.path}:/usr/bin:/bin`;
  const shell = new Shell({ proc: `${folder.path}/proc`, path, gpu: true });
  await using _closes = { [Symbol.asyncDispose]: () => shell.close() };
  const { machine } = machineAt(OWN, { args: ["--gpu"] });
  const look = () => takeSnapshot(machine.collectors);
  assertEquals([look().gpus, look().processes], [undefined, 1]);
  machine.useShell(undefined);
  assertEquals(look().failures, ["cannot measure process count"]);
  machine.useShell(shell);
  await machine.gpu?.nvidia.start();
  for (let turns = 0; turns < 5_000 && look().failures.length > 0; turns++) await realTurn();
  const { gpus, processes } = look();
  assertEquals([gpus?.map(({ name }) => name), processes], [["NVIDIA L4"], 1]);
  // No file here tells of it, as in WSL.
  assertEquals(machine.facts().gpuName, "NVIDIA L4");
});

Deno.test("Machine.bootId() is the kernel's, and empty where it has none", () => {
  const path = "/proc/sys/kernel/random/boot_id";
  const id = (text: string) =>
    machineAt(OWN, { files: { ...FILES, [path]: text } }).machine.bootId();
  assertEquals([id("0b4c7e6a-5d1f\n"), id("no id at all")], ["0b4c7e6a-5d1f", ""]);
  assertEquals(machineAt(OWN).machine.bootId(), "");
});
