import { assertEquals } from "@std/assert";
import type { Host, OpenOptions, Roots } from "../../lib/host/host.ts";
import { type Machine, openLinuxMachine } from "../../lib/metrics/machine.ts";
import { Rates } from "../../lib/metrics/rates.ts";
import { Sampler, takeSnapshot } from "../../lib/metrics/snapshot.ts";
import { CPU_TICKS_BYTES } from "../../lib/parse/proc_stat.ts";
import { Shell } from "../../lib/sandbox/shell.ts";
import { writeExecutable } from "../executable.ts";
import { FakeTime, realTurn } from "../fake_time.ts";
import { TempFolder } from "../temp_folder.ts";
import { configOf } from "./config_of.ts";
import { type FakeHost, fakeHost, fakeSource } from "./fake_host.ts";
import { assertDataEquals } from "./assert_data.ts";

const OWN: Roots = { proc: "/proc", sys: "/sys", root: "/" };
const HOSTS: Roots = { proc: "/host/proc", sys: "/host/sys", root: "/host" };

/** The trees of one machine, each of whose numbers is made of `n`. */
function trees(roots: Roots, n: number): Record<string, string> {
  const { proc } = roots;
  const root = roots.root === "/" ? "" : roots.root;
  return {
    [`${proc}/stat`]: `cpu  ${n} 0 0 ${100 - n} 0 0 0 0\n${"cpu0 1 1 1 1\n".repeat(n)}`,
    [`${proc}/meminfo`]: `MemTotal: ${n} kB\nMemFree: 0 kB\nSwapTotal: ${n} kB\nSwapFree: 0 kB\n`,
    [`${proc}/loadavg`]: `${n}.0 0.0 0.0 1/${n} 9\n`,
    [`${proc}/uptime`]: `${n}.5 1.0\n`,
    [`${proc}/cpuinfo`]: `model name : Processor ${n}\n`,
    [`${proc}/sys/kernel/osrelease`]: `6.${n}.0\n`,
    [`${root}/etc/os-release`]: `PRETTY_NAME="System ${n}"\n`,
    [`${roots.sys}/class/dmi/id/sys_vendor`]: n === 7 ? "QEMU\n" : "VMware\n",
  };
}

/** The files of a network namespace. */
function network(folder: string, n: number): Record<string, string> {
  const zeros = " 0".repeat(7);
  return {
    [`${folder}/dev`]: `head |\nhead |\n  eth0: ${n}${zeros} ${n}${zeros}\n`,
    [`${folder}/sockstat`]: `TCP: inuse ${n} orphan 0 tw 0 alloc 0 mem 0\nUDP: inuse ${n} mem 0\n`,
    [`${folder}/sockstat6`]: "TCP6: inuse 0\nUDP6: inuse 0\n",
  };
}

/** A container of 7s on a machine of 40s. */
const FILES: Readonly<Record<string, string>> = {
  ...trees(OWN, 7),
  ...network("/proc/net", 7),
  "/proc/self/mountinfo": "1 0 8:1 / / rw - ext4 /dev/a rw\n9 1 8:2 / /host rw - ext4 /dev/b rw\n",
  "/proc/1/stat": "",
  ...trees(HOSTS, 40),
  // What the host's /proc calls `net` is still the reader's own.
  ...network("/host/proc/net", 7),
  ...network("/host/proc/1/net", 40),
  "/host/proc/1/mountinfo": "1 0 8:2 / / rw - ext4 /dev/b rw\n",
  "/host/proc/40/stat": "",
  "/host/proc/41/stat": "",
};

function hostAt(roots: Roots, fake: FakeHost): Host {
  return {
    ...fake,
    arch: "x86_64",
    roots,
    openLinkCount: () => undefined,
    statfs: (path) => {
      const blocks = path.startsWith("/host") ? 40 : 7;
      return { blockSizeBytes: 1024, blocks, freeBlocks: 0, availableBlocks: 0 };
    },
    statfsAsync: () => Promise.reject(new Error("not asked")),
    interfaceAddresses: () => [],
    openLinks: () => undefined,
  };
}

function machineAt(
  roots: Roots,
  files = FILES,
  args = ["--include-nics", "eth0"],
): { machine: Machine; opened: string[] } {
  const opened: string[] = [];
  const fake = fakeHost(files);
  const host = {
    ...hostAt(roots, fake),
    open(path: string, options?: OpenOptions) {
      opened.push(path);
      return fake.open(path, options);
    },
  };
  return { machine: openLinuxMachine(host, configOf(args)), opened };
}

function numbers({ collectors }: Machine) {
  const { failures, ...snapshot } = takeSnapshot(collectors);
  assertDataEquals(failures, []);
  return {
    cpu: Math.round(new Rates().report({ failures, ...snapshot }).cpuPercent ?? NaN),
    memory: (snapshot.memory?.totalBytes ?? NaN) / 1024,
    swap: (snapshot.swap?.totalBytes ?? NaN) / 1024,
    disk: (snapshot.disk?.totalBytes ?? NaN) / 1024,
    load: snapshot.load?.oneMinute,
    traffic: snapshot.traffic?.sentBytes,
    tcp: snapshot.connections?.tcp,
    udp: snapshot.connections?.udp,
    uptime: Math.floor(snapshot.uptimeSeconds ?? NaN),
    processes: snapshot.processes,
  };
}

function all(n: number, processes: number): ReturnType<typeof numbers> {
  return {
    ...{ cpu: n, memory: n, swap: n, disk: n, load: n, traffic: n, tcp: n, udp: n, uptime: n },
    processes,
  };
}

Deno.test("openLinuxMachine() looks at load and disks less often than at the rest", () => {
  using time = new FakeTime();
  const fake = fakeHost(FILES);
  const looks: Record<"load" | "disk" | "uptime", number[]> = { load: [], disk: [], uptime: [] };
  const host: Host = {
    ...hostAt(OWN, fake),
    open: (path) =>
      fakeSource(() => {
        if (path === "/proc/loadavg") looks.load.push(performance.now());
        if (path === "/proc/uptime") looks.uptime.push(performance.now());
        return fake.readText(path);
      }),
    statfs(path) {
      if (path === "/") looks.disk.push(performance.now());
      return { blockSizeBytes: 1024, blocks: 7, freeBlocks: 0, availableBlocks: 0 };
    },
  };
  const sampler = new Sampler(openLinuxMachine(host, configOf()).collectors);
  for (let second = 0; second < 11; second++) {
    sampler.sample();
    time.tick(1_000);
  }
  assertEquals(looks.load, [0, 3_000, 6_000, 9_000]);
  assertEquals(looks.disk, [0, 5_000, 10_000]);
  assertEquals(looks.uptime.length, 11);
});

Deno.test("openLinuxMachine() measures what the container sees without HOST_PROC", () => {
  // Both file systems are mounted there.
  assertDataEquals(numbers(machineAt(OWN).machine), { ...all(7, 1), disk: 47 });
});

Deno.test("openLinuxMachine() counts no processes after the seal without a shell", () => {
  const { machine } = machineAt(OWN);
  assertDataEquals(takeSnapshot(machine.collectors).processes, 1);
  machine.useShell(undefined);
  assertDataEquals(takeSnapshot(machine.collectors).failures, ["cannot measure process count"]);
});

Deno.test("Machine.useShell() lets the shell count processes, and with --gpu ask for NVIDIA's cards", async () => {
  using folder = new TempFolder();
  writeExecutable(`${folder.path}/nvidia-smi`, "#!/bin/sh\necho 'NVIDIA L4, 100, 10, 5, 40'\n");
  Deno.mkdirSync(`${folder.path}/proc/1`, { recursive: true });
  const path = `${folder.path}:/usr/bin:/bin`;
  const shell = new Shell({ proc: `${folder.path}/proc`, path, gpu: true });
  await using _closes = { [Symbol.asyncDispose]: () => shell.close() };
  const { machine } = machineAt(OWN, FILES, ["--gpu"]);
  assertEquals(takeSnapshot(machine.collectors).gpus, undefined);
  machine.useShell(shell);
  await machine.gpu?.nvidia.start();
  for (let turns = 0; turns < 5_000; turns++) {
    const { failures, gpus } = takeSnapshot(machine.collectors);
    if (failures.length === 0 && gpus !== undefined) break;
    await realTurn();
  }
  const { gpus, processes } = takeSnapshot(machine.collectors);
  assertEquals([gpus?.map(({ name }) => name), processes], [["NVIDIA L4"], 1]);
  // No file here tells of it, as in WSL.
  assertEquals(machine.facts().gpuName, "NVIDIA L4");
});

Deno.test("openLinuxMachine() opens mounts as texts of paths, whose lines may be long", () => {
  const table = [
    [OWN, ["/proc/self/mountinfo"]],
    [HOSTS, ["/host/proc/1/mountinfo", "/proc/self/mountinfo"]],
  ] as const;
  for (const [roots, paths] of table) {
    const fake = fakeHost(FILES);
    const opened = new Map<string, unknown>();
    const host: Host = {
      ...hostAt(roots, fake),
      open(path, options) {
        if (options?.hasPaths) opened.set(path, options);
        return fake.open(path, options);
      },
    };
    openLinuxMachine(host, configOf());
    const options = { hasLongLines: true, hasPaths: true };
    const [measured, ...visible] = paths.map((path) => [path, options] as const);
    assertEquals([...opened], [[measured?.[0], { ...options, isRequired: true }], ...visible]);
  }
});

Deno.test("openLinuxMachine() reads the start of stat for the CPU, and all of it for the cores", () => {
  const fake = fakeHost(FILES);
  const lengths: (number | undefined)[] = [];
  const host: Host = {
    ...hostAt(HOSTS, fake),
    open(path, options) {
      const file = fake.open(path, options);
      if (path !== "/host/proc/stat") return file;
      return fakeSource(() => {
        const text = file.read();
        lengths.push(text?.length);
        return text;
      });
    },
  };
  const machine = openLinuxMachine(host, configOf());
  takeSnapshot(machine.collectors);
  assertEquals(machine.facts().logicalCores, 40);
  assertEquals(lengths, [CPU_TICKS_BYTES, FILES["/host/proc/stat"]?.length]);
});

/** A container's cgroup with the limit of 7, on a host that is a container, too. */
const OWN_LIMIT = {
  "/host/run/systemd/container": "lxc\n",
  "/host/proc/self/cgroup": "0::/\n",
  "/host/proc/self/mountinfo": "1 0 0:9 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
  "/sys/fs/cgroup/memory.max": "7168\n",
  "/sys/fs/cgroup/memory.current": "0\n",
  "/sys/fs/cgroup/memory.stat": "inactive_file 0\nactive_file 0\n",
};

Deno.test("openLinuxMachine() measures the host with HOST_PROC", () => {
  const { machine, opened } = machineAt(HOSTS, { ...FILES, ...OWN_LIMIT });
  assertDataEquals(numbers(machine), all(40, 3));
  const others = opened.filter((path) => !path.startsWith("/host/proc/"));
  // By its own mounts it knows where the host's are seen.
  assertDataEquals(others, ["/proc/self/mountinfo"]);
  const nets = opened.filter((path) => /\/net\//.test(path));
  assertDataEquals(nets.filter((path) => !path.startsWith("/host/proc/1/net/")), []);
});

const cases = [
  ["stat", "CPU use"],
  ["meminfo", "memory"],
  ["self/mountinfo", "disk space"],
  ["loadavg", "load"],
  ["net/dev", "network traffic"],
  ["net/sockstat", "connections"],
  ["uptime", "uptime"],
] as const;
for (const [file, failure] of cases) {
  Deno.test(`openLinuxMachine() names ${failure} when there is no ${file}`, () => {
    const { [`/proc/${file}`]: _, ...files } = FILES;
    const reasons: string[] = [];
    const { machine } = machineAt(OWN, files);
    const { failures } = takeSnapshot(machine.collectors, ({ error }) => {
      reasons.push(error instanceof Error ? error.message : "");
    });
    assertDataEquals(failures, [`cannot measure ${failure}`]);
    assertDataEquals(reasons, [`Cannot read /proc/${file}: no such file`]);
  });
}

Deno.test("openLinuxMachine() names what is missing of mounts, interfaces and connections", () => {
  const odd = (name: string, line: string) => ({ [name]: `${FILES[name] ?? ""}${line}\n` });
  const { machine } = machineAt(OWN, {
    ...FILES,
    ...odd("/proc/self/mountinfo", "malformed"),
    ...odd("/proc/net/dev", "bad: 1"),
    "/proc/net/sockstat": "TCP: inuse 7 orphan 0 tw 0 alloc 0 mem 0\n",
  });
  assertEquals(takeSnapshot(machine.collectors).failures, [
    "cannot measure part of disk space",
    "cannot measure part of network traffic",
    "cannot measure part of connections",
  ]);
});

Deno.test("openLinuxMachine() follows the configured lists and mode", () => {
  const files = {
    ...FILES,
    ...network("/proc/net", 7),
    "/proc/meminfo": "MemTotal: 100 kB\nMemFree: 30 kB\nMemAvailable: 80 kB\nCached: 10 kB\n",
  };
  const measured = (...args: string[]) => {
    const { machine } = machineAt(OWN, files, args);
    const { memory, disk, traffic } = takeSnapshot(machine.collectors);
    const bytes = [memory?.usedBytes, disk?.totalBytes].map((it = NaN) => it / 1024);
    return [...bytes, traffic?.sentBytes];
  };
  assertEquals(measured(), [60, 47, 7]);
  assertEquals(measured("--memory-mode", "available"), [20, 47, 7]);
  assertEquals(measured("--include-mountpoint", "/host"), [60, 40, 7]);
  assertEquals(measured("--exclude-nics", "eth0"), [60, 47, 0]);
});

Deno.test("Machine.refresh() waits for file systems that programs serve", async () => {
  const text = `${FILES["/proc/self/mountinfo"]}8 1 8:9 / /ntfs rw - fuseblk /dev/c rw\n`;
  const use = { blockSizeBytes: 1024, blocks: 100, freeBlocks: 0, availableBlocks: 0 };
  const host: Host = {
    ...hostAt(OWN, fakeHost({ ...FILES, "/proc/self/mountinfo": text })),
    statfsAsync: () => Promise.resolve(use),
  };
  const machine = openLinuxMachine(host, configOf());
  await machine.refresh?.();
  assertEquals(takeSnapshot(machine.collectors).disk?.totalBytes, (47 + 100) * 1024);
});

Deno.test("openLinuxMachine() asks the kernel for the links and addresses of its network", () => {
  const table = [[OWN, "/proc/net/dev"], [HOSTS, "/host/proc/1/net/dev"]] as const;
  for (const [roots, expected] of table) {
    const address = { name: "eth0", family: "IPv4", address: "8.8.8.8" } as const;
    const found: string[] = [];
    const host: Host = {
      ...hostAt(roots, fakeHost(FILES)),
      interfaceAddresses: () => [address],
      openLinks(path) {
        assertEquals(path, expected);
        const find = (name: string) => void found.push(name);
        const nothing = () => undefined;
        return { changes: () => new Set<number>(), find, counters: nothing, kind: nothing };
      },
    };
    const machine = openLinuxMachine(host, configOf());
    takeSnapshot(machine.collectors);
    assertEquals(found, ["eth0"]);
    assertEquals(machine.interfaceAddresses(), [address]);
  }
});

Deno.test("Machine.facts() describes the machine of the given roots", () => {
  const own = machineAt(OWN).machine.facts();
  const host = machineAt(HOSTS).machine.facts();
  const told = [own, host].map((facts) => [
    facts.cpuName,
    facts.logicalCores,
    facts.kernelVersion,
    facts.osName,
    facts.virtualization,
  ]);
  assertDataEquals(told, [
    ["Processor 7", 7, "6.7.0", "System 7", "qemu"],
    ["Processor 40", 40, "6.40.0", "System 40", "vmware"],
  ]);
});

Deno.test("Machine.facts() counts anew the cores that are online, and nothing else", () => {
  const files = { ...FILES };
  const { machine } = machineAt(OWN, files);
  const facts = machine.facts();
  files["/proc/stat"] = "cpu  1 0 0 1\ncpu0 1 1 1 1\n";
  files["/proc/cpuinfo"] = "model name : another\n";
  assertDataEquals(machine.facts(), { ...facts, logicalCores: 1 });
});

Deno.test("Machine.bootId() is the kernel's, and empty where it has none", () => {
  const path = "/proc/sys/kernel/random/boot_id";
  const id = (text: string) => machineAt(OWN, { ...FILES, [path]: text }).machine.bootId();
  assertEquals(id("0b4c7e6a-5d1f\n"), "0b4c7e6a-5d1f");
  assertEquals(id("no id at all"), "");
  assertEquals(machineAt(OWN).machine.bootId(), "");
});
