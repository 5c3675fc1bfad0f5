/**
 * Outgoing JSON: field names, rounding, ranges and the placeholders that a panel demands.
 *
 * Nothing else decides how a number of a report, of basic info or of a result is written on the wire.
 *
 * @module
 */

import { oneLine } from "../log/redact.ts";
import { truncate } from "../parse/bounded_text.ts";
import type { RpcParams } from "./messages.ts";
import type {
  Addresses,
  CommandResult,
  FileResult,
  Gpu,
  LongText,
  MachineFacts,
  ProbeKind,
  ProbeResult,
  Report,
  Snapshot,
  Usage,
} from "../types.ts";

/** Lowest CPU usage that is sent: the panel stores a 0 as "no value". */
const MIN_CPU_PERCENT = 0.001;
/** Highest load of one minute that the panel accepts. */
const MAX_LOAD1 = 1000;
const MAX_LOAD = 1_000_000;

/** Longest message, in UTF-16 code units: the panel shows it on its home page. */
const MAX_MESSAGE_LENGTH = 400;

/** Longest fact about the machine, in the same units: names of systems and processors are shorter. */
const MAX_FACT_LENGTH = 200;
/** In place of a fact that nothing tells. */
const UNKNOWN = "unknown";

/** A report on the wire. */
export interface WireReport {
  cpu: { usage: number };
  ram: ReturnType<typeof toWireUsage>;
  swap: ReturnType<typeof toWireUsage>;
  load: { load1: number; load5: number; load15: number };
  disk: ReturnType<typeof toWireUsage>;
  network: { up: number; down: number; totalUp: number; totalDown: number };
  connections: { tcp: number; udp: number };
  uptime: number;
  process: number;
  message: string;
  gpu?: ReturnType<typeof toWireGpu>;
}

/** Basic info on the wire; the panel leaves absent fields unchanged. */
export interface WireBasicInfo {
  arch: string;
  cpu_name: string;
  cpu_cores: number;
  cpu_physical_cores?: number;
  gpu_name: string;
  ipv4?: string;
  ipv6?: string;
  mem_total: number;
  swap_total: number;
  disk_total: number;
  os: string;
  kernel_version?: string;
  virtualization: string;
  version: string;
}

/**
 * Converts a report to that of the wire.
 *
 * Unknown values are sent as the lowest value that the panel accepts, since it refuses incomplete
 * reports; `message` names them.
 */
export function toWireReport(report: Report): WireReport {
  const { load, traffic, speeds, connections, gpus = [] } = report;
  return {
    cpu: { usage: Math.max(MIN_CPU_PERCENT, decimal(report.cpuPercent, 100)) },
    ram: toWireUsage(report.memory),
    swap: toWireUsage(report.swap),
    load: {
      load1: decimal(load?.oneMinute, MAX_LOAD1),
      load5: decimal(load?.fiveMinutes, MAX_LOAD),
      load15: decimal(load?.fifteenMinutes, MAX_LOAD),
    },
    disk: toWireUsage(report.disk),
    network: {
      up: count(speeds?.sentBytesPerSecond),
      down: count(speeds?.receivedBytesPerSecond),
      totalUp: count(traffic?.sentBytes),
      totalDown: count(traffic?.receivedBytes),
    },
    connections: { tcp: count(connections?.tcp), udp: count(connections?.udp) },
    uptime: count(report.uptimeSeconds),
    process: count(report.processes),
    message: message(report.failures),
    ...(gpus.length > 0 && { gpu: toWireGpu(gpus) }),
  };
}

/** Sizes in bytes, whole degrees Celsius; the average is over the cards whose usage is known. */
function toWireGpu(cards: readonly Gpu[]) {
  const uses = cards.flatMap(({ usePercent }) => usePercent ?? []);
  const sum = uses.reduce((before, use) => before + use, 0);
  return {
    count: cards.length,
    average_usage: decimal(sum / Math.max(uses.length, 1), 100),
    detailed_info: cards.map((card) => ({
      name: fact(card.name),
      memory_total: count(card.memory?.totalBytes),
      memory_used: count(card.memory?.usedBytes),
      utilization: decimal(card.usePercent, 100),
      temperature: degrees(card.temperatureCelsius),
    })),
  };
}

/** Sources of basic info. */
export interface BasicInfoParts {
  facts: MachineFacts;
  /** For the totals of memory, swap and disk. */
  snapshot: Snapshot;
  addresses: Addresses;
  version: string;
  /** Omits the columns that panels up to 1.2.0 don't have. */
  withoutNewColumns: boolean;
}

/**
 * Converts facts about the machine to basic info.
 *
 * Unknown addresses are omitted: an empty one would erase the stored one, and a panel of version 1
 * uses the address of the caller when there is none.
 */
export function toWireBasicInfo(parts: BasicInfoParts): WireBasicInfo {
  const { facts, snapshot, addresses } = parts;
  const info: WireBasicInfo = {
    arch: fact(facts.arch),
    cpu_name: fact(facts.cpuName),
    cpu_cores: count(facts.logicalCores),
    gpu_name: fact(facts.gpuName ?? "None"),
    mem_total: count(snapshot.memory?.totalBytes),
    swap_total: count(snapshot.swap?.totalBytes),
    disk_total: count(snapshot.disk?.totalBytes),
    os: fact(facts.osName),
    virtualization: facts.virtualization === undefined ? "" : fact(facts.virtualization),
    version: parts.version,
  };
  if (!parts.withoutNewColumns) {
    info.cpu_physical_cores = count(facts.physicalCores);
    if (facts.kernelVersion !== undefined) info.kernel_version = fact(facts.kernelVersion);
  }
  if (addresses.ipv4 !== undefined) info.ipv4 = addresses.ipv4;
  if (addresses.ipv6 !== undefined) info.ipv6 = addresses.ipv6;
  return info;
}

/** A probe's result on the wire. */
export interface WireProbeResult {
  task_id: number;
  value: number;
  ping_type: ProbeKind;
  finished_at: string;
  /** Only where the panel has asked for a reference. */
  role?: "reference";
}

/** Converts the result of a probe: whole milliseconds, rounded down, or -1 when it was lost. */
export function toWireProbeResult(result: ProbeResult): WireProbeResult {
  return {
    task_id: result.taskId,
    value: result.valueMs >= 0 ? count(Math.floor(result.valueMs)) : -1,
    ping_type: result.kind,
    finished_at: result.finishedAt.toISOString(),
    ...(result.isReference && { role: "reference" }),
  };
}

/** A command's result on the wire. */
export interface WireCommandResult {
  task_id: string;
  result: LongText;
  exit_code: number;
  finished_at: string;
}

/** Converts the result of a command. */
export function toWireCommandResult(result: CommandResult): WireCommandResult {
  return {
    task_id: result.taskId,
    result: result.output,
    exit_code: Math.trunc(result.exitCode),
    finished_at: result.finishedAt.toISOString(),
  };
}

/** What the kernel or a file says about the machine, which may be any text. */
function fact(text: string | undefined): string {
  return truncate(oneLine(text ?? "").trim(), MAX_FACT_LENGTH) || UNKNOWN;
}

/** Names of disks and interfaces in it may be any text, too. */
function message(parts: readonly string[]): string {
  return parts.length === 0 ? "" : truncate(oneLine(parts.join("; ")), MAX_MESSAGE_LENGTH);
}

/**
 * The answer to a file request on the wire: `result` is null after a failure; `error` says why in words
 * that panels search for, and is empty after a success.
 */
export function toWireFileResult({ requestId, ok, result, error }: FileResult): RpcParams {
  return { request_id: requestId, ok, result: result ?? null, error };
}

/** In bytes. */
function toWireUsage(usage: Usage | undefined) {
  return { total: count(usage?.totalBytes), used: count(usage?.usedBytes) };
}

/** A count: a whole number, not negative, exact in a double. */
function count(value: number | undefined): number {
  if (value === undefined || !Number.isFinite(value) || value <= 0) return 0;
  return Math.min(Math.round(value), Number.MAX_SAFE_INTEGER);
}

/** Whole degrees; values below absolute zero or from 1000 on count as unknown. */
function degrees(celsius: number | undefined): number {
  const whole = Math.round(celsius ?? 0);
  return whole > -273 && whole < 1000 ? whole : 0;
}

/** A decimal from 0 to `max` with three places. */
function decimal(value: number | undefined, max: number): number {
  if (value === undefined || !Number.isFinite(value) || value <= 0) return 0;
  return Math.round(Math.min(value, max) * 1000) / 1000;
}
