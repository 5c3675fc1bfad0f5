/**
 * A Linux machine, ready to be measured: its collectors over files that are open already.
 *
 * @module
 */

import type { Host } from "../host/host.ts";
import type { KernelLookup } from "../sandbox/kernel_lookup.ts";
import { parseLoadavg } from "../parse/loadavg.ts";
import { parseUptime } from "../parse/uptime.ts";
import type { MachineFacts, MemoryMode } from "../types.ts";
import { requiredSource, sourceCollector } from "./collector.ts";
import { ConnectionCollector } from "./connections.ts";
import { CpuCollector } from "./cpu.ts";
import { DiskCollector } from "./disk.ts";
import { GpuCollectors } from "./gpu.ts";
import { machineFacts, withOnlineCores } from "./machine_facts.ts";
import { type MemoryCollector, openMemory } from "./memory.ts";
import type { InterfaceStatistics } from "./interface_statistics.ts";
import { NetworkCollector } from "./network.ts";
import { ProcessCollector } from "./processes.ts";
import type { Collectors } from "./snapshot.ts";

/** Options that affect measuring. */
export interface MachineOptions {
  readonly includeNics: readonly string[];
  readonly excludeNics: readonly string[];
  readonly includeMountPoints: readonly string[];
  readonly memoryMode: MemoryMode;
  /** Whether graphics cards are measured. */
  readonly gpu?: boolean;
  /** `Deno.build.arch`. */
  readonly arch: string;
}

/** A machine that is ready to be measured. */
export interface Machine {
  readonly collectors: Collectors & {
    memory:
      & Pick<MemoryCollector, "effectiveMode">
      & Partial<Pick<MemoryCollector, "limitedBy" | "knowsZfs" | "isFallback">>;
    disk: Pick<DiskCollector, "collect" | "mounts"> & Partial<Pick<DiskCollector, "fileSystems">>;
    traffic: Pick<NetworkCollector, "collect" | "interfaces" | "sample" | "total">;
    processes: Pick<ProcessCollector, "byLinks">;
  };
  /** Present with `--gpu`. */
  readonly gpu?: Pick<GpuCollectors, "nvidia" | "decisions">;
  /** Reads facts that do not change; only before the process is sealed. */
  readFacts(): MachineFacts;
  /** Updates facts that can change, such as the number of cores; also in a sealed process. */
  currentFacts?(facts: MachineFacts): MachineFacts;
  /** Sources for the dry run that differ from the usual ones. */
  readonly sources?: Readonly<Record<string, string>>;
  /** Boot id, where it is not in `/proc`. */
  readonly bootId?: string;
  /** Runs all polled commands once. */
  refresh?(): Promise<void>;
}

/** The machine's own `/proc`; `HOST_PROC` names another one. */
export const OWN_PROC = "/proc";

/**
 * Folder of a machine's network counters. In another machine's `/proc`, `net` still shows the
 * reader's own network; `1/net` shows that machine's.
 */
export function networkFolder(proc: string): string {
  return proc === OWN_PROC ? `${proc}/net` : `${proc}/1/net`;
}

/** Opens all files that reports need, so that the process can be sealed afterwards. */
export function openLinuxMachine(
  host: Host,
  lookup: KernelLookup,
  options: MachineOptions,
): Machine {
  const { proc } = host.roots;
  const isOwn = proc === OWN_PROC;
  const stat = host.open(`${proc}/stat`);
  const required = (path: string) => requiredSource(host.open(path), path);
  const network = networkFolder(proc);
  const globs = { include: options.includeNics, exclude: options.excludeNics };
  const mountinfo = isOwn ? `${proc}/self/mountinfo` : `${proc}/1/mountinfo`;
  const { includeMountPoints } = options;
  const gpu = options.gpu ? new GpuCollectors(host) : undefined;
  return {
    collectors: {
      cpu: new CpuCollector(requiredSource(stat, `${proc}/stat`)),
      memory: openMemory(host, { mode: options.memoryMode, isOwn }),
      disk: new DiskCollector(
        host,
        required(mountinfo),
        {
          includeMountPoints,
          visible: isOwn ? undefined : host.open(`${OWN_PROC}/self/mountinfo`),
        },
      ),
      load: sourceCollector(required(`${proc}/loadavg`), parseLoadavg),
      traffic: new NetworkCollector(
        required(`${network}/dev`),
        (name) => lookup.interfaceTraits(name),
        {
          globs,
          // In another machine's `/proc` the network is not that of this `/sys`.
          openStatistics: isOwn ? (name) => openStatistics(host, name) : undefined,
        },
      ),
      connections: new ConnectionCollector(
        required(`${network}/sockstat`),
        host.open(`${network}/sockstat6`),
      ),
      uptime: sourceCollector(required(`${proc}/uptime`), parseUptime),
      processes: new ProcessCollector(host, () => lookup.processCount()),
      gpus: gpu?.collectors.map((collector) => ({ subject: collector.subject, collector })),
    },
    gpu,
    readFacts: () => machineFacts(host, { arch: options.arch }),
    sources: {
      interfaces: `${network}/dev and ${host.roots.sys}/class/net`,
      mountPoints: isOwn
        ? mountinfo
        : `${mountinfo}, and statfs at the mounts in ${OWN_PROC}/self/mountinfo`,
    },
    currentFacts: (facts) => withOnlineCores(facts, stat.read()),
  };
}

function openStatistics(host: Pick<Host, "roots" | "open">, name: string): InterfaceStatistics {
  const folder = `${host.roots.sys}/class/net/${name}/statistics`;
  return { received: host.open(`${folder}/rx_bytes`), sent: host.open(`${folder}/tx_bytes`) };
}

/** An opened machine and its owners. */
export interface OpenedMachine {
  readonly host: Pick<Host, "roots" | "interfaceAddresses">;
  readonly lookup: Pick<KernelLookup, "useShell">;
  readonly machine: Machine;
  /** Stops the programs that were started to measure. */
  close?(): Promise<void>;
}
