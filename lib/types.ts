/**
 * The words of the domain: what is measured, in which unit.
 *
 * A field that is absent means "no data", never zero; what the wire puts in its
 * place is decided in `protocol.ts` alone.
 *
 * @module
 */

/** A capacity and how much of it is taken. */
export interface Usage {
  totalBytes: number;
  usedBytes: number;
}

/** Load averages, as the kernel computes them. */
export interface LoadAverage {
  oneMinute: number;
  fiveMinutes: number;
  fifteenMinutes: number;
}

/** Bytes of both directions. */
export interface TrafficBytes {
  readonly sentBytes: number;
  readonly receivedBytes: number;
}

/** Traffic of all counted interfaces together. */
export interface Traffic {
  /** Bytes sent in all. */
  sentBytes: number;
  /** Bytes received in all. */
  receivedBytes: number;
  /** Bytes a second since the report before; absent in the first one. */
  sentBytesPerSecond?: number;
  /** Bytes a second since the report before; absent in the first one. */
  receivedBytesPerSecond?: number;
}

/** Sockets of both families, in every state. */
export interface Connections {
  tcp: number;
  udp: number;
}

/** A graphics card, as far as it tells; it is listed only when it tells more than its name. */
export interface Gpu {
  name: string;
  /** 0 to 100. */
  usePercent?: number;
  memory?: Usage;
  temperatureCelsius?: number;
  /** It is switched off for want of work and was left alone; its use and memory are 0 then. */
  isSuspended?: true;
}

/** One look at the machine: what a report is made of. */
export interface Snapshot {
  /** 0 to 100 over all cores, since the snapshot before; since boot in the first one. */
  cpuPercent?: number;
  memory?: Usage;
  swap?: Usage;
  disk?: Usage;
  load?: LoadAverage;
  traffic?: Traffic;
  connections?: Connections;
  uptimeSeconds?: number;
  processes?: number;
  /** Only where details of graphics cards were asked for. */
  gpus?: readonly Gpu[];
  /** What could not be measured, in words fit for the public. */
  failures: string[];
}

/** What does not change while the machine runs. */
export interface MachineFacts {
  /** Go's name of the architecture: `amd64`, `arm64`. */
  arch: string;
  cpuName?: string;
  logicalCores?: number;
  /** Absent when the kernel does not tell. */
  physicalCores?: number;
  gpuName?: string;
  osName?: string;
  kernelVersion?: string;
  /** In the words of systemd-detect-virt: `none`, `kvm`, `docker`, … */
  virtualization?: string;
}

/** The machine's public addresses, as far as they are known. */
export interface Addresses {
  ipv4?: string;
  ipv6?: string;
}

/** How a probe reaches its target. */
export type ProbeKind = "icmp" | "tcp" | "http";

/** A probe that the panel wants repeated. */
export interface ProbeTask {
  id: number;
  kind: ProbeKind;
  target: string;
  intervalSeconds: number;
}

/** What one run of a probe found. */
export interface ProbeResult {
  taskId: number;
  kind: ProbeKind;
  /** Milliseconds, or -1 when it was lost. */
  valueMs: number;
  finishedAt: Date;
}

/** What a remote command left behind. */
export interface CommandResult {
  /** The panel's own name for the command. */
  taskId: string;
  /** Standard output, then standard error; empty when it said nothing. */
  output: string;
  /** -1 when the command was not started at all. */
  exitCode: number;
  finishedAt: Date;
}

/** The answer to a file request of the panel. */
export interface FileResult {
  readonly requestId: string;
  readonly ok: boolean;
  /** What was asked for, in the names of the wire; absent after a failure. */
  readonly result?: unknown;
  /** Why it failed, in words that panels know; empty when it went well. */
  readonly error: string;
}

/** Which part of memory counts as used; see the README's section on numbers. */
export type MemoryMode = "htop" | "available" | "all";
