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

/** Bytes up to a time, in milliseconds of a monotonic clock. */
export interface TimedBytes extends TrafficBytes {
  readonly atMs: number;
}

/** Bytes per second. */
export interface Speeds {
  readonly sentBytesPerSecond: number;
  readonly receivedBytesPerSecond: number;
}

/** Time of all cores together in any unit, from which their use is computed: it only grows. */
export interface CpuTime {
  readonly busy: number;
  /** Busy and idle. */
  readonly all: number;
}

/** Sockets of both families; half-open connections are no sockets yet. */
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

/** One sample of the machine, which all panels share. */
export interface Snapshot {
  cpuTime?: CpuTime;
  memory?: Usage;
  swap?: Usage;
  disk?: Usage;
  load?: LoadAverage;
  /** Totals of all counted interfaces together. */
  traffic?: TrafficBytes;
  /** Their bytes since the start, from which speeds are computed. */
  passed?: TimedBytes;
  connections?: Connections;
  uptimeSeconds?: number;
  processes?: number;
  /** Only with `--gpu`. */
  gpus?: readonly Gpu[];
  /** Names of metrics that could not be measured, for the report's message. */
  failures: string[];
}

/** The content of a report to one panel: a sample, and the rates since its own previous report. */
export interface Report extends Snapshot {
  /** 0 to 100 over all cores; since boot in the first report. */
  cpuPercent?: number | undefined;
  /** Absent in the first report. */
  speeds?: Speeds | undefined;
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

/** Protocol of a measurement. */
export type ProbeKind = typeof PROBE_KINDS[number];

/** All of them. */
export const PROBE_KINDS = ["icmp", "tcp", "http"] as const;

/** What a panel asks for: a kind, whichever of ICMP and TCP is answered (`auto`), or both (`dual`). */
export type ProbeType = typeof PROBE_TYPES[number];

/** All of them. */
export const PROBE_TYPES = [...PROBE_KINDS, "auto", "dual"] as const;

/** A probe of the panel. */
export interface Probe {
  /** The panel's number of it. */
  readonly id: number;
  readonly kind: ProbeType;
  readonly target: string;
  /** A second target, whose results show whether trouble is on the way to both. */
  readonly reference?: string;
}

/** A probe that the panel has scheduled. */
export interface ProbeTask extends Probe {
  readonly intervalSeconds: number;
}

/** Result of one run of a probe. */
export interface ProbeResult {
  taskId: number;
  kind: ProbeKind;
  /** Whether it is of the probe's second target. */
  isReference?: true;
  /** Milliseconds with their fraction, or -1 when it was lost. */
  valueMs: number;
  finishedAt: Date;
}

/** A text, or pieces of one that is too long to be held as such; each iteration gives all of them. */
export interface LongText extends Iterable<string> {
  /** In characters, roughly. */
  readonly length: number;
}

/** The text as one string. */
export function wholeText(text: LongText): string {
  return typeof text === "string" ? text : Array.from(text).join("");
}

/** Result of a remote command. */
export interface CommandResult {
  /** The panel's id of the command. */
  taskId: string;
  /** Standard output, then standard error. */
  output: LongText;
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
