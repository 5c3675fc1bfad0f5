/**
 * A Mac, ready to be measured: its collectors over what `node:os` tells, and over commands whose
 * outputs are asked for beside the reports.
 *
 * @module
 */

import { deadline } from "@std/async/deadline";
import type { Config } from "../config/config.ts";
import { UsageError } from "../config/usage_error.ts";
import { type DarwinHost, openDarwinHost } from "../host/host_darwin.ts";
import { DARWIN_COMMANDS, type DarwinQuestion, DarwinShell } from "../host/shell_darwin.ts";
import { describeError, getLogger } from "../log/log.ts";
import type { LoadAverage } from "../types.ts";
import { DarwinConnectionCollector } from "./connections_darwin.ts";
import { DarwinCpuCollector } from "./cpu_darwin.ts";
import { DarwinDiskCollector } from "./disk_darwin.ts";
import { type Machine, type MachineOptions, type OpenedMachine, OWN_PROC } from "./machine.ts";
import { goArchitecture } from "./machine_facts.ts";
import { darwinBootId, darwinFacts } from "./machine_facts_darwin.ts";
import { DarwinMemoryCollector } from "./memory_darwin.ts";
import { DarwinNetworkCollector } from "./network_darwin.ts";
import { PolledCommand } from "./polled_command.ts";
import { DarwinProcessCollector } from "./processes_darwin.ts";

/** The first report waits so long for the commands, which take a hundredth of it. */
const FIRST_OUTPUT_TIMEOUT_MS = 2_000;
/** Counting processes means listing them. */
const PROCESS_COUNT_INTERVAL_MS = 10_000;
const MOUNTS_INTERVAL_MS = 60_000;

/** Opens a Mac; resolves when its commands have answered for the first time, or when one takes too long. */
export async function openDarwinMachine(
  host: DarwinHost,
  shell: Pick<DarwinShell, "ask">,
  options: MachineOptions,
): Promise<Machine> {
  const monotonicMs = () => host.monotonicMs();
  const late = (question: DarwinQuestion, everyMs = 0) =>
    new PolledCommand(() => shell.ask(question), { monotonicMs, intervalMs: everyMs });
  const sockets = late("sockets");
  const interfaces = late("interfaces");
  const memory = late("memory");
  const processes = late("processes", PROCESS_COUNT_INTERVAL_MS);
  const mounts = late("mounts", MOUNTS_INTERVAL_MS);
  const { includeMountPoints, memoryMode } = options;
  const needed = [sockets, interfaces, processes, mounts];
  // Only one mode needs the command.
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
  // Who takes longer is late: its value is missing in the first report.
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
      connections: new DarwinConnectionCollector(sockets),
      uptime: { collect: () => host.uptime() },
      processes: new DarwinProcessCollector(processes),
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

function loadOf(averages: readonly number[]): LoadAverage | undefined {
  const [oneMinute, fiveMinutes, fifteenMinutes] = averages;
  if (oneMinute === undefined || fiveMinutes === undefined || fifteenMinutes === undefined) {
    return undefined;
  }
  return { oneMinute, fiveMinutes, fifteenMinutes };
}

/**
 * Opens this Mac, measured as the configuration wants it.
 *
 * @throws {UsageError} When the configuration wants what only Linux has.
 * @throws {Error} When there is no shell to ask.
 */
export async function openMac(config: Config, arch: string): Promise<OpenedMachine> {
  if (config.remoteControl) {
    throw new UsageError("Cannot turn on remote control: on macOS it is not supported yet");
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
      tree: { useShell() {} },
      machine,
      close: () => shell.close(),
    };
  } catch (error) {
    await shell.close();
    throw error;
  }
}
