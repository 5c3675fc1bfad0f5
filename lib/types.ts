/**
 * Values of the domain with their units.
 *
 * An absent field means "no data", never zero; placeholders for the wire are set in
 * `panel/protocol.ts` only.
 *
 * @module
 */

/** A capacity and its used part. */
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

/** Bytes in both directions. */
export interface TrafficBytes {
  readonly sentBytes: number;
  readonly receivedBytes: number;
}

/** Traffic of all counted interfaces together. */
export interface Traffic {
  /** Total of sent bytes. */
  sentBytes: number;
  /** Total of received bytes. */
  receivedBytes: number;
  /** Bytes per second since the previous report; absent in the first one. */
  sentBytesPerSecond?: number;
  /** Bytes per second since the previous report; absent in the first one. */
  receivedBytesPerSecond?: number;
}

/** Sockets of both families, in every state. */
export interface Connections {
  tcp: number;
  udp: number;
}

/** A graphics card with at least one value. */
export interface Gpu {
  name: string;
  /** 0 to 100. */
  usePercent?: number;
  memory?: Usage;
  temperatureCelsius?: number;
  /** Suspended while idle, and not woken for the report; utilization and memory are 0 then. */
  isSuspended?: true;
}

/** One sample of the machine: the content of a report. */
export interface Snapshot {
  /** 0 to 100 over all cores, since the previous snapshot; since boot in the first one. */
  cpuPercent?: number;
  memory?: Usage;
  swap?: Usage;
  disk?: Usage;
  load?: LoadAverage;
  traffic?: Traffic;
  connections?: Connections;
  uptimeSeconds?: number;
  processes?: number;
  /** Only with `--gpu`. */
  gpus?: readonly Gpu[];
  /** Names of metrics that could not be measured, for the report's message. */
  failures: string[];
}

/** Facts that do not change while the machine runs. */
export interface MachineFacts {
  /** Go's name of the architecture: `amd64`, `arm64`. */
  arch: string;
  cpuName?: string;
  logicalCores?: number;
  /** Absent where the kernel does not report it. */
  physicalCores?: number;
  gpuName?: string;
  osName?: string;
  kernelVersion?: string;
  /** As systemd-detect-virt names it: `none`, `kvm`, `docker`, … */
  virtualization?: string;
}

/** The machine's public addresses; unknown ones are absent. */
export interface Addresses {
  ipv4?: string;
  ipv6?: string;
}

/** Protocol of a probe. */
export type ProbeKind = typeof PROBE_KINDS[number];

/** All of them. */
export const PROBE_KINDS = ["icmp", "tcp", "http"] as const;

/** A probe of the panel. */
export interface Probe {
  /** The panel's number of it. */
  readonly id: number;
  readonly kind: ProbeKind;
  readonly target: string;
}

/** A probe that the panel has scheduled. */
export interface ProbeTask extends Probe {
  readonly intervalSeconds: number;
}

/** Result of one run of a probe. */
export interface ProbeResult {
  taskId: number;
  kind: ProbeKind;
  /** Milliseconds with their fraction, or -1 when it was lost. */
  valueMs: number;
  finishedAt: Date;
}

/** Result of a remote command. */
export interface CommandResult {
  /** The panel's id of the command. */
  taskId: string;
  /** Standard output, then standard error. */
  output: string;
  /** -1 when the command was not started. */
  exitCode: number;
  finishedAt: Date;
}

/** The answer to a file request of the panel. */
export interface FileResult {
  readonly requestId: string;
  readonly ok: boolean;
  /** Content in the wire's names; absent after a failure. */
  readonly result?: unknown;
  /** Reason of the failure in a form that panels know; empty on success. */
  readonly error: string;
}

/** Rule by which memory counts as used; see `docs/metrics.md`. */
export type MemoryMode = "htop" | "available" | "all";
