/**
 * A Linux machine, ready to be measured: its table of collectors, over files that are open already.
 *
 * @module
 */

import type { Config } from "../config/config.ts";
import type { Host, InterfaceAddress, Roots, RouteScope, Source } from "../host/host.ts";
import { networkFolder, OWN_PROC } from "../host/interface_traits.ts";
import { CPU_TICKS_BYTES } from "../parse/proc_stat.ts";
import { parseSockstat } from "../parse/sockstat.ts";
import { parseLoadavg, parseUptime } from "../parse/uptime.ts";
import { KernelLookup } from "../sandbox/kernel_lookup.ts";
import type { Shell } from "../sandbox/shell.ts";
import type { Connections, MachineFacts } from "../types.ts";
import { type Collector, parseSource } from "./snapshot.ts";
import { CpuCollector } from "./cpu.ts";
import { DiskCollector, linuxMountFilter } from "./disk.ts";
import { GpuCollectors } from "./gpu.ts";
import { machineFacts } from "./machine_facts.ts";
import { openMemory } from "./memory.ts";
import type { MountDecision } from "./mount_filter.ts";
import { type InterfaceStatus, NetworkCollector } from "./network.ts";
import { ProcessCollector } from "./processes.ts";

/** A machine that is ready to be measured. */
export interface Machine {
  readonly roots: Roots;
  /** The table of its collectors. */
  readonly collectors: readonly Collector[];
  readonly network: NetworkCollector;
  /** Present with `--gpu`. */
  readonly gpu?: GpuCollectors;
  /** Decisions on all interfaces of the last sample. */
  interfaces(): InterfaceStatus[];
  /** Decisions on all mounts; empty before the first snapshot. */
  mounts(): MountDecision[];
  /** Seconds since boot. @throws {Error} When it can't be read. */
  uptimeSeconds(): number | undefined;
  /** Id of this boot, which is read before the process is sealed; empty where it is unknown. */
  bootId(): string;
  /** Facts about the machine, which are read before the process is sealed. */
  facts(): MachineFacts;
  interfaceAddresses(): InterfaceAddress[];
  /** Where the kernel would send to an address, if not to another machine. */
  routeScope?(address: string): RouteScope | undefined;
  /** Goes on in a sealed process, with the help of a shell if there is one. */
  useShell(shell: Shell | undefined): void;
  /** Waits for what is asked in the background: polled commands, file systems that may hang. */
  refresh?(): Promise<void>;
  /** Stops the programs that were started to measure. */
  close?(): Promise<void>;
}

/** Subject of the row whose totals those of the month may replace. */
export const NETWORK_SUBJECT = "network traffic";

/** The kernel itself computes the load every 5 s. */
export const LOAD_MAX_AGE_MS = 2_500;
/** At most 5 s if reports come each second: each mount is a call of its own. */
export const DISK_MAX_AGE_MS = 4_500;

/** Opens all files that reports need, so that the process can be sealed afterwards. */
export function openLinuxMachine(host: Host, config: Config): Machine {
  const { proc } = host.roots;
  const isOwn = proc === OWN_PROC;
  const net = networkFolder(proc);
  const mountinfo = isOwn ? `${proc}/self/mountinfo` : `${proc}/1/mountinfo`;
  const ownMounts = `${OWN_PROC}/self/mountinfo`;
  const lookup = new KernelLookup(host);
  const open = (path: string) => host.open(path, { isRequired: true });

  const cpu = new CpuCollector(
    host.open(`${proc}/stat`, { isRequired: true, startBytes: CPU_TICKS_BYTES }),
  );
  const memory = openMemory(host, { mode: config.memoryMode, isOwn });
  // An overlay's line has the folders of all its layers.
  const mounts = { hasLongLines: true, hasPaths: true };
  const mountFilter = linuxMountFilter(host, {
    include: config.includeMountPoints,
    visible: isOwn ? undefined : host.open(ownMounts, mounts),
  });
  const disk = new DiskCollector(
    host,
    host.open(mountinfo, { ...mounts, isRequired: true }),
    mountFilter,
  );
  const loadavg = open(`${proc}/loadavg`);
  const links = host.openLinks(`${net}/dev`);
  const network = new NetworkCollector(
    open(`${net}/dev`),
    (name) => lookup.interfaceTraits(name),
    { globs: { include: config.includeNics, exclude: config.excludeNics }, links },
  );
  const sockets = { ipv4: open(`${net}/sockstat`), ipv6: host.open(`${net}/sockstat6`) };
  const uptime = open(`${proc}/uptime`);
  const uptimeSeconds = () => parseSource(uptime, parseUptime);
  const processes = new ProcessCollector(host, () => lookup.processCount());
  const gpu = config.gpu ? new GpuCollectors(host) : undefined;

  const collectors: Collector[] = [
    {
      subject: "CPU use",
      collect: () => ({ cpuTime: cpu.collect() }),
      missingPart: () => cpu.missingPart(),
      sources: () => ({ cpu: `${proc}/stat, between two readings` }),
    },
    {
      subject: "memory",
      collect: () => memory.collect() ?? {},
      sources: () => memory.sources(`${proc}/meminfo`),
    },
    {
      subject: "disk space",
      maxAgeMs: DISK_MAX_AGE_MS,
      collect: () => ({ disk: disk.collect() }),
      missingPart: () => disk.missingPart(),
      sources: () => ({ disk: "statfs of the mount points below" }),
    },
    {
      subject: "load",
      maxAgeMs: LOAD_MAX_AGE_MS,
      collect: () => ({ load: parseSource(loadavg, parseLoadavg) }),
      sources: () => ({ load: `${proc}/loadavg` }),
    },
    {
      subject: NETWORK_SUBJECT,
      collect: () => ({ traffic: network.collect(), passed: network.passed }),
      missingPart: () => network.missingPart(),
      sources: () => ({ network: `${net}/dev, of the interfaces below` }),
    },
    {
      subject: "connections",
      collect: () => ({ connections: countConnections(sockets) }),
      sources: () => ({ connections: `${net}/sockstat and sockstat6` }),
    },
    {
      subject: "uptime",
      collect: () => ({ uptimeSeconds: uptimeSeconds() }),
      sources: () => ({ uptime: `${proc}/uptime` }),
    },
    {
      subject: "process count",
      collect: () => ({ processes: processes.collect() }),
      sources: () => ({ process: proc }),
    },
    ...gpu?.rows() ?? [],
  ];

  let facts: MachineFacts | undefined;
  return {
    roots: host.roots,
    collectors,
    network,
    gpu,
    interfaces: () => network.interfaces(),
    mounts: () => disk.mounts(),
    uptimeSeconds,
    bootId: () => readBootId(host),
    facts() {
      facts ??= machineFacts(host);
      return { ...facts, gpuName: gpu?.names() ?? facts.gpuName };
    },
    interfaceAddresses: () => host.interfaceAddresses(),
    routeScope: (address) => host.routeScope?.(address),
    refresh: () => disk.firstAnswers(),
    useShell(shell) {
      lookup.useShell(shell);
      gpu?.nvidia.useNvidiaSmi(async () => await shell?.nvidiaSmi());
    },
  };
}

/**
 * TCP and UDP sockets of both families, from `net/sockstat` and `net/sockstat6`; a machine without IPv6
 * has no second file.
 *
 * The cost does not depend on their number; for `net/tcp` the kernel walks its whole hash table.
 *
 * @throws {SyntaxError} When the kernel's text is malformed.
 */
export function countConnections(
  sockets: { ipv4: Source; ipv6: Source },
): Connections | undefined {
  const ipv4 = parseSource(sockets.ipv4, parseSockstat);
  if (ipv4 === undefined) return undefined;
  const ipv6 = parseSource(sockets.ipv6, parseSockstat);
  return {
    tcp: ipv4.tcp + ipv4.tcpTimeWait + (ipv6?.tcp ?? 0),
    udp: ipv4.udp + (ipv6?.udp ?? 0),
  };
}

function readBootId(host: Pick<Host, "roots" | "readText">): string {
  const id = host.readText(`${host.roots.proc}/sys/kernel/random/boot_id`)?.trim() ?? "";
  return /^[0-9a-f-]{1,64}$/.test(id) ? id : "";
}
