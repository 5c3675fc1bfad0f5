/**
 * A Linux machine, ready to be measured: its collectors over files that are open already.
 *
 * @module
 */

import type { Host } from "../host/host.ts";
import type { KernelTree } from "../host/kernel_lookup.ts";
import type { MachineFacts, MemoryMode } from "../types.ts";
import { ConnectionCollector } from "./connections.ts";
import { CpuCollector } from "./cpu.ts";
import { DiskCollector } from "./disk.ts";
import { GpuCollectors } from "./gpu.ts";
import { LoadCollector } from "./load.ts";
import { machineFacts, withOnlineCores } from "./machine_facts.ts";
import { type MemoryCollector, openMemory } from "./memory.ts";
import { NetworkCollector } from "./network.ts";
import { ProcessCollector } from "./processes.ts";
import type { Collectors } from "./snapshot.ts";
import { UptimeCollector } from "./uptime.ts";

/** What the user chose about measuring. */
export interface MachineOptions {
  readonly includeNics: readonly string[];
  readonly excludeNics: readonly string[];
  readonly includeMountPoints: readonly string[];
  readonly memoryMode: MemoryMode;
  /** Whether details of graphics cards are wanted. */
  readonly gpu?: boolean;
  /** The runtime's name of the architecture. */
  readonly arch: string;
}

/** What can be measured, and told about how. */
export interface Machine {
  readonly collectors: Collectors & {
    memory:
      & Pick<MemoryCollector, "effectiveMode">
      & Partial<Pick<MemoryCollector, "limitedBy" | "knowsZfs" | "isFallback">>;
    disk: Pick<DiskCollector, "collect" | "mounts">;
    traffic: Pick<NetworkCollector, "collect" | "interfaces" | "sample" | "total">;
    processes: Pick<ProcessCollector, "collect" | "byLinks">;
  };
  /** Present where details of graphics cards are wanted. */
  readonly gpu?: Pick<GpuCollectors, "nvidia" | "decisions">;
  /** Reads what does not change; only before the process is sealed. */
  readFacts(): MachineFacts;
  /** Those facts with what has changed since, where anything can; also when the process is sealed. */
  currentFacts?(facts: MachineFacts): MachineFacts;
  /** Where values and decisions come from, in the words of a dry run, where these are not the usual ones. */
  readonly sources?: Readonly<Record<string, string>>;
  /** The kernel's name of this boot, where it is not told below `/proc`. */
  readonly bootId?: string;
  /** Asks anew for all that is asked for beside the reports, where anything is. */
  refresh?(): Promise<void>;
}

/** The machine's own `/proc`, where another may be named in its place. */
export const OWN_PROC = "/proc";

/**
 * Where a machine's network counters are. Below another `/proc`, `net` is still the reader's own;
 * process 1 is that machine's.
 */
export function networkFolder(proc: string): string {
  return proc === OWN_PROC ? `${proc}/net` : `${proc}/1/net`;
}

/** Opens everything that reports need, so that the process can be sealed afterwards. */
export function openLinuxMachine(host: Host, tree: KernelTree, options: MachineOptions): Machine {
  const { proc } = host.roots;
  const isOwn = proc === OWN_PROC;
  const stat = host.open(`${proc}/stat`);
  const network = networkFolder(proc);
  const lists = { include: options.includeNics, exclude: options.excludeNics };
  const mountinfo = isOwn ? `${proc}/self/mountinfo` : `${proc}/1/mountinfo`;
  const { includeMountPoints } = options;
  const gpu = options.gpu ? new GpuCollectors(host) : undefined;
  return {
    collectors: {
      cpu: new CpuCollector(stat),
      memory: openMemory(host, { mode: options.memoryMode, isOwn }),
      disk: new DiskCollector(
        host,
        host.open(mountinfo),
        isOwn
          ? { includeMountPoints }
          : { includeMountPoints, visible: host.open(`${OWN_PROC}/self/mountinfo`) },
      ),
      load: new LoadCollector(host.open(`${proc}/loadavg`)),
      traffic: new NetworkCollector(
        host.open(`${network}/dev`),
        (name) => tree.interfaceTraits(name),
        { lists, monotonicMs: () => host.monotonicMs() },
      ),
      connections: new ConnectionCollector(
        host.open(`${network}/sockstat`),
        host.open(`${network}/sockstat6`),
      ),
      uptime: new UptimeCollector(host.open(`${proc}/uptime`)),
      processes: new ProcessCollector(host, () => tree.processCount()),
      ...(gpu && {
        gpus: gpu.collectors.map((collector) => {
          return { subject: collector.subject, collector };
        }),
      }),
    },
    ...(gpu && { gpu }),
    readFacts: () => machineFacts(host, { arch: options.arch }),
    sources: {
      interfaces: `${network}/dev and ${host.roots.sys}/class/net`,
      mountPoints: isOwn
        ? mountinfo
        : `${mountinfo}, asked where ${OWN_PROC}/self/mountinfo has them`,
    },
    currentFacts: (facts) => withOnlineCores(facts, stat.read()),
  };
}

/** A machine, and what looks at it. */
export interface OpenedMachine {
  readonly host: Pick<Host, "roots" | "interfaceAddresses" | "monotonicMs">;
  readonly tree: Pick<KernelTree, "useShell">;
  readonly machine: Machine;
  /** Ends what was started to look. */
  close?(): Promise<void>;
}
