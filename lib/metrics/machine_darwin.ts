/**
 * A Mac that is ready to be measured: collectors over `node:os` and over commands that are polled in
 * the background.
 *
 * @module
 */

import type { Config } from "../config/config.ts";
import { UsageError } from "../config/usage_error.ts";
import type { InterfaceTraits, Source } from "../host/host.ts";
import { type CoreTimes, type DarwinHost, openDarwinHost } from "../host/host_darwin.ts";
import { OWN_PROC } from "../host/interface_traits.ts";
import { quoteStart } from "../parse/bounded_text.ts";
import { DARWIN_COMMANDS, type DarwinQuery, DarwinShell } from "../sandbox/shell_darwin.ts";
import { describeError, getLogger } from "../log/log.ts";
import { parseNetstatIb } from "../parse/netstat_ib.ts";
import { parseSysctl } from "../parse/sysctl.ts";
import { parseVmStat } from "../parse/vm_stat.ts";
import { settlesWithin } from "../async/timeout.ts";
import type {
  Connections,
  CpuTime,
  LoadAverage,
  MachineFacts,
  MemoryMode,
  Usage,
} from "../types.ts";
import { type Collector, parseSource } from "./snapshot.ts";
import { DiskCollector } from "./disk.ts";
import { darwinMountFilter } from "./disk_darwin.ts";
import { DISK_MAX_AGE_MS, LOAD_MAX_AGE_MS, type Machine, NETWORK_SUBJECT } from "./machine.ts";
import { goArchitecture } from "./machine_facts.ts";
import { usage } from "./memory.ts";
import { NetworkCollector } from "./network.ts";
import { PolledCommand } from "./polled_command.ts";

/** Time limit of the first report's wait for the commands, which take about 20 ms. */
const FIRST_OUTPUT_TIMEOUT_MS = 2_000;
/** `ps` lists all processes, which is expensive. */
const PROCESS_COUNT_INTERVAL_MS = 10_000;
const MOUNTS_INTERVAL_MS = 60_000;

/** Opens a Mac; resolves when all commands have run once or after {@linkcode FIRST_OUTPUT_TIMEOUT_MS}. */
export async function openDarwinMachine(
  host: DarwinHost,
  shell: Pick<DarwinShell, "ask" | "close">,
  config: Config,
): Promise<Machine> {
  const poll = (query: DarwinQuery, intervalMs?: number) =>
    new PolledCommand(() => shell.ask(query), intervalMs);
  const sockets = poll("sockets");
  const interfaces = poll("interfaces");
  const vmStat = poll("memory");
  const processes = poll("processes", PROCESS_COUNT_INTERVAL_MS);
  const mounts = poll("mounts", MOUNTS_INTERVAL_MS);
  const { includeMountPoints, memoryMode } = config;
  const usesVmStat = memoryMode === "htop";
  const needed = [sockets, interfaces, processes, mounts, ...usesVmStat ? [vmStat] : []];
  const refresh = async () => {
    await Promise.all(needed.map((command) => command.refresh()));
  };
  let sysctl = "";
  const readSysctl = async () => {
    try {
      sysctl = await shell.ask("facts");
    } catch (error) {
      getLogger("agent").warning("{error}", { error: describeError(error) });
    }
  };
  // Slower commands are missing in the first report.
  await settlesWithin(Promise.all([readSysctl(), refresh()]), FIRST_OUTPUT_TIMEOUT_MS);

  const cpu = new DarwinCpuCollector(host);
  const disk = new DiskCollector(host, mounts, darwinMountFilter(includeMountPoints));
  const network = new NetworkCollector(interfaces, darwinInterfaceTraits, {
    globs: { include: config.includeNics, exclude: config.excludeNics },
    readAtMs: () => interfaces.atMs,
    parse: parseNetstatIb,
  });
  // No graphics cards: macOS has no file with their values.
  const collectors: Collector[] = [
    {
      subject: "CPU use",
      collect: () => ({ cpuTime: cpu.collect() }),
      sources: () => ({ cpu: "os.cpus() of node:os" }),
    },
    {
      subject: "memory",
      collect: () => darwinMemory(host, vmStat, memoryMode),
      sources: () => ({
        ram: `Deno.systemMemoryInfo()${
          usesVmStat ? ` and ${DARWIN_COMMANDS.memory}` : ""
        }, mode ${memoryMode}`,
        swap: "Deno.systemMemoryInfo()",
      }),
    },
    {
      subject: "disk space",
      maxAgeMs: DISK_MAX_AGE_MS,
      collect: () => ({ disk: disk.collect() }),
      missingPart: () => disk.missingPart(),
      sources: () => ({ disk: `${DARWIN_COMMANDS.mounts}, and statfs of the mount points below` }),
    },
    {
      subject: "load",
      maxAgeMs: LOAD_MAX_AGE_MS,
      collect: () => ({ load: loadOf(host.load()) }),
      sources: () => ({ load: "os.loadavg() of node:os" }),
    },
    {
      subject: NETWORK_SUBJECT,
      collect: () => ({ traffic: network.collect(), passed: network.passed }),
      sources: () => ({ network: `${DARWIN_COMMANDS.interfaces}, of the interfaces below` }),
    },
    {
      subject: "connections",
      collect: () => ({ connections: parseSource(sockets, parseDarwinConnections) }),
      sources: () => ({ connections: DARWIN_COMMANDS.sockets }),
    },
    {
      subject: "uptime",
      collect: () => ({ uptimeSeconds: host.uptime() }),
      sources: () => ({ uptime: "os.uptime() of node:os" }),
    },
    {
      subject: "process count",
      collect: () => ({ processes: parseSource(processes, parseDarwinProcessCount) }),
      sources: () => ({ process: DARWIN_COMMANDS.processes }),
    },
  ];
  return {
    roots: { proc: "/proc", sys: "/sys", root: "/" },
    collectors,
    network,
    interfaces: () => network.interfaces(),
    mounts: () => disk.mounts(),
    uptimeSeconds: () => host.uptime(),
    bootId: () => darwinBootId(sysctl),
    facts: () => darwinFacts(host, sysctl),
    interfaceAddresses: () => host.interfaceAddresses(),
    useShell() {},
    refresh,
    close: () => shell.close(),
  };
}

const BUSY = ["user", "nice", "sys", "irq"] as const;

/** Measures the time of all cores of a Mac together, from `os.cpus()` of `node:os`. */
export class DarwinCpuCollector {
  readonly #host: Pick<DarwinHost, "cores">;
  #previous: readonly CoreTimes[] = [];
  #time: CpuTime = { busy: 0, all: 0 };

  constructor(host: Pick<DarwinHost, "cores">) {
    this.#host = host;
  }

  /**
   * Milliseconds since boot.
   *
   * Cores are counted separately, because each core's counters wrap on their own, within 500 days.
   */
  collect(): CpuTime {
    const cores = this.#host.cores();
    let busy = 0;
    let idle = 0;
    cores.forEach((now, index) => {
      const before = this.#previous[index];
      for (const name of BUSY) busy += Math.max(now[name] - (before?.[name] ?? 0), 0);
      idle += Math.max(now.idle - (before?.idle ?? 0), 0);
    });
    this.#previous = cores;
    return this.#time = { busy: this.#time.busy + busy, all: this.#time.all + busy + idle };
  }
}

/**
 * Memory and swap of a Mac in bytes, from `Deno.systemMemoryInfo()` and `vm_stat`. Used memory in mode
 * `htop` is Activity Monitor's Memory Used: app memory, wired and compressed.
 *
 * @throws {Error} When `vm_stat` failed or its output is malformed.
 */
export function darwinMemory(
  host: Pick<DarwinHost, "memory">,
  vmStat: Source,
  mode: MemoryMode,
): { memory?: Usage; swap?: Usage } {
  const { total, free, available, swapTotal, swapFree } = host.memory();
  const swap = usage(swapTotal, swapTotal - swapFree);
  const used = mode === "available"
    ? total - available
    : mode === "all"
    ? total - free
    : parseSource(vmStat, (text) => {
      const { anonymousBytes, purgeableBytes, wiredBytes, compressorBytes } = parseVmStat(text);
      return anonymousBytes - purgeableBytes + wiredBytes + compressorBytes;
    });
  return used === undefined ? { swap } : { memory: usage(total, used), swap };
}

/** Interface names of Ethernet and Wi-Fi (`en`) and FireWire (`fw`) drivers. */
const DEVICES = /^(?:en|fw)\d+$/;

/** Traits of an interface by its name, which on macOS is that of its driver; of a bond its members count. */
function darwinInterfaceTraits(name: string): InterfaceTraits {
  return { hasDevice: DEVICES.test(name) };
}

/**
 * Parses the counts of `sysctl net.inet.tcp.pcbcount net.inet.udp.pcbcount`: sockets of both
 * families in every state. Their cost does not grow with the sockets; `netstat -an` lists them all.
 *
 * @throws {SyntaxError} When a count is missing.
 */
export function parseDarwinConnections(sysctl: string): Connections {
  const values = parseSysctl(sysctl);
  const count = (name: string): number => {
    const value = values.get(name) ?? "";
    if (!/^\d{1,15}$/.test(value)) throw new SyntaxError(`Cannot parse sysctl: no ${name}`);
    return Number(value);
  };
  return { tcp: count("net.inet.tcp.pcbcount"), udp: count("net.inet.udp.pcbcount") };
}

/**
 * Parses the number of lines of `ps -A`, which the shell has counted.
 *
 * @throws {SyntaxError} When it is not a number above 0: `ps` itself is always there.
 */
export function parseDarwinProcessCount(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) {
    throw new SyntaxError(`Cannot parse process count: ${quoteStart(text)}`);
  }
  return Number(text);
}

function loadOf(averages: readonly number[]): LoadAverage | undefined {
  const [oneMinute, fiveMinutes, fifteenMinutes] = averages;
  if (oneMinute === undefined || fiveMinutes === undefined || fifteenMinutes === undefined) {
    return undefined;
  }
  return { oneMinute, fiveMinutes, fifteenMinutes };
}

/** Virtualization of a virtual Mac by the prefix of `hw.model`. */
const VIRTUAL_MODELS: ReadonlyArray<readonly [string, string]> = [
  ["VMware", "vmware"],
  ["Parallels", "parallels"],
  ["VirtualMac", "apple"],
];

/**
 * Facts that do not change while a Mac runs, from the output of `sysctl`; unknown ones are absent.
 *
 * The GPU is known only on Apple silicon, where it is part
 * of the processor; elsewhere only a slow command could report it.
 */
export function darwinFacts(
  host: Pick<DarwinHost, "arch" | "cores">,
  sysctl: string,
): MachineFacts {
  const values = parseSysctl(sysctl);
  const text = (name: string): string | undefined => values.get(name) || undefined;
  const count = (name: string): number | undefined => {
    const value = text(name) ?? "";
    return /^[1-9]\d{0,4}$/.test(value) ? Number(value) : undefined;
  };
  const cpuName = text("machdep.cpu.brand_string");
  const version = text("kern.osproductversion");
  return {
    arch: goArchitecture(host.arch),
    osName: version === undefined ? "macOS" : `macOS ${version}`,
    cpuName,
    logicalCores: count("hw.logicalcpu") ?? (host.cores().length || undefined),
    physicalCores: count("hw.physicalcpu"),
    gpuName: /^Apple M\d[\w ]*$/.test(cpuName ?? "") ? cpuName : undefined,
    kernelVersion: text("kern.osrelease"),
    virtualization: virtualizationOf(text("kern.hv_vmm_present"), text("hw.model") ?? ""),
  };
}

/** Boot id from the same output, different after each boot; empty where it is unknown. */
export function darwinBootId(sysctl: string): string {
  const id = parseSysctl(sysctl).get("kern.bootsessionuuid")?.toLowerCase() ?? "";
  return /^[0-9a-f-]{1,64}$/.test(id) ? id : "";
}

/** systemd-detect-virt's name; the model alone proves nothing, because it can be configured. */
function virtualizationOf(underHypervisor: string | undefined, model: string): string | undefined {
  if (underHypervisor === undefined) return undefined;
  if (underHypervisor === "0") return "none";
  return VIRTUAL_MODELS.find(([start]) => model.startsWith(start))?.[1] ?? "vm-other";
}

/**
 * Opens this Mac with the given configuration.
 *
 * @throws {UsageError} When the configuration uses options that only Linux supports.
 * @throws {Error} When the helper shell can't be started.
 */
export async function openMac(config: Config): Promise<Machine> {
  if (config.remoteControl) {
    throw new UsageError("Cannot enable remote control: it is not supported on macOS yet");
  }
  if (config.hostProc !== "" && config.hostProc !== OWN_PROC) {
    throw new UsageError("Cannot use HOST_PROC on macOS: there is no /proc");
  }
  const host = await openDarwinHost();
  const shell = new DarwinShell();
  try {
    return await openDarwinMachine(host, shell, config);
  } catch (error) {
    await shell.close();
    throw error;
  }
}
