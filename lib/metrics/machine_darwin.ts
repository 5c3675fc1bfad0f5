/**
 * A Mac that is ready to be measured: collectors over `node:os` and over commands that are polled in
 * the background.
 *
 * @module
 */

import { deadline } from "@std/async/deadline";
import type { Config } from "../config/config.ts";
import { UsageError } from "../config/usage_error.ts";
import { type DarwinHost, openDarwinHost } from "../host/host_darwin.ts";
import { quoteStart } from "../parse/bounded_text.ts";
import { DARWIN_COMMANDS, type DarwinQuery, DarwinShell } from "../sandbox/shell_darwin.ts";
import { describeError, getLogger } from "../log/log.ts";
import { parseSysctl } from "../parse/sysctl.ts";
import type { Connections, LoadAverage } from "../types.ts";
import { sourceCollector } from "./collector.ts";
import { DarwinCpuCollector } from "./cpu_darwin.ts";
import { DarwinDiskCollector } from "./disk_darwin.ts";
import { type Machine, type MachineOptions, type OpenedMachine, OWN_PROC } from "./machine.ts";
import { goArchitecture } from "./machine_facts.ts";
import { darwinBootId, darwinFacts } from "./machine_facts_darwin.ts";
import { DarwinMemoryCollector } from "./memory_darwin.ts";
import { DarwinNetworkCollector } from "./network_darwin.ts";
import { PolledCommand } from "./polled_command.ts";

/** Time limit of the first report's wait for the commands, which take about 20 ms. */
const FIRST_OUTPUT_TIMEOUT_MS = 2_000;
/** `ps` lists all processes, which is expensive. */
const PROCESS_COUNT_INTERVAL_MS = 10_000;
const MOUNTS_INTERVAL_MS = 60_000;

/** Opens a Mac; resolves when all commands have run once or after {@linkcode FIRST_OUTPUT_TIMEOUT_MS}. */
export async function openDarwinMachine(
  host: DarwinHost,
  shell: Pick<DarwinShell, "ask">,
  options: MachineOptions,
): Promise<Machine> {
  const late = (question: DarwinQuery, intervalMs?: number) =>
    new PolledCommand(() => shell.ask(question), intervalMs);
  const sockets = late("sockets");
  const interfaces = late("interfaces");
  const memory = late("memory");
  const processes = late("processes", PROCESS_COUNT_INTERVAL_MS);
  const mounts = late("mounts", MOUNTS_INTERVAL_MS);
  const { includeMountPoints, memoryMode } = options;
  const needed = [sockets, interfaces, processes, mounts];
  // The other modes do not use vm_stat.
  if (memoryMode === "htop") needed.push(memory);
  const refresh = async () => {
    await Promise.all(needed.map((text) => text.refresh()));
  };
  let facts = "";
  const readFacts = async () => {
    try {
      facts = await shell.ask("facts");
    } catch (error) {
      getLogger("agent").warning("{error}", { error: describeError(error) });
    }
  };
  // Slower commands are missing in the first report.
  await deadline(Promise.all([readFacts(), refresh()]), FIRST_OUTPUT_TIMEOUT_MS).catch(() => {});
  return {
    collectors: {
      cpu: new DarwinCpuCollector(host),
      memory: new DarwinMemoryCollector(host, memory, memoryMode),
      disk: new DarwinDiskCollector(host, mounts, { includeMountPoints }),
      load: { collect: () => loadOf(host.load()) },
      traffic: new DarwinNetworkCollector(interfaces, {
        include: options.includeNics,
        exclude: options.excludeNics,
      }),
      connections: sourceCollector(sockets, parseDarwinConnections),
      uptime: { collect: () => host.uptime() },
      processes: { byLinks: false, ...sourceCollector(processes, parseDarwinProcessCount) },
    },
    ...darwinBootId(facts),
    readFacts: () => darwinFacts(host, { sysctl: facts, arch: goArchitecture(options.arch) }),
    refresh,
    sources: {
      cpu: "os.cpus() of node:os",
      ram: memoryMode === "htop"
        ? `Deno.systemMemoryInfo() and ${DARWIN_COMMANDS.memory}, mode htop`
        : `Deno.systemMemoryInfo(), mode ${memoryMode}`,
      swap: "Deno.systemMemoryInfo()",
      load: "os.loadavg() of node:os",
      disk: `${DARWIN_COMMANDS.mounts}, and statfs of the mount points below`,
      network: `${DARWIN_COMMANDS.interfaces}, of the interfaces below`,
      connections: DARWIN_COMMANDS.sockets,
      uptime: "os.uptime() of node:os",
      process: DARWIN_COMMANDS.processes,
      interfaces: DARWIN_COMMANDS.interfaces,
      mountPoints: DARWIN_COMMANDS.mounts,
    },
  };
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

/**
 * Opens this Mac with the given configuration.
 *
 * @throws {UsageError} When the configuration uses options that only Linux supports.
 * @throws {Error} When the helper shell can't be started.
 */
export async function openMac(config: Config, arch: string): Promise<OpenedMachine> {
  if (config.remoteControl) {
    throw new UsageError("Cannot enable remote control: it is not supported on macOS yet");
  }
  if (config.hostProc !== "" && config.hostProc !== OWN_PROC) {
    throw new UsageError("Cannot use HOST_PROC on macOS: there is no /proc");
  }
  const host = await openDarwinHost();
  const shell = DarwinShell.start();
  try {
    const machine = await openDarwinMachine(host, shell, { ...config, arch });
    return {
      host: { ...host, roots: { proc: "/proc", sys: "/sys", root: "/" } },
      lookup: { useShell() {} },
      machine,
      close: () => shell.close(),
    };
  } catch (error) {
    await shell.close();
    throw error;
  }
}
