/**
 * Messages of an agent as the panel stores them. A field that is absent or of a wrong type is 0 or
 * empty, as in the panel's database.
 *
 * @module
 */

import type { WireGpu, WireReport, WireUsage } from "../panel/protocol.ts";
import { isJsonObject, jsonFields, type JsonObject } from "../parse/json.ts";

/** A report, as it is on the wire. */
export type StoredReport = Readonly<WireReport>;

/** Basic info, column by column; sizes in bytes. */
export type StoredBasicInfo = Readonly<Record<string, string | number>>;

/** A ping result. */
export interface StoredPingResult {
  readonly taskId: number;
  /** Milliseconds, or -1 when it was lost. */
  readonly valueMs: number;
  readonly pingType: string;
  /** `reference` for the result of a probe's second target. */
  readonly role?: string;
  readonly finishedAt: string;
}

/** Reads a report. */
export function readReport(value: unknown): StoredReport {
  const report = jsonFields(value);
  const load = jsonFields(report["load"]);
  const network = jsonFields(report["network"]);
  const connections = jsonFields(report["connections"]);
  return {
    cpu: { usage: numberIn(jsonFields(report["cpu"]), "usage") },
    ram: readUsage(report["ram"]),
    swap: readUsage(report["swap"]),
    load: {
      load1: numberIn(load, "load1"),
      load5: numberIn(load, "load5"),
      load15: numberIn(load, "load15"),
    },
    disk: readUsage(report["disk"]),
    network: {
      up: numberIn(network, "up"),
      down: numberIn(network, "down"),
      totalUp: numberIn(network, "totalUp"),
      totalDown: numberIn(network, "totalDown"),
    },
    connections: { tcp: numberIn(connections, "tcp"), udp: numberIn(connections, "udp") },
    uptime: numberIn(report, "uptime"),
    process: numberIn(report, "process"),
    message: textIn(report, "message"),
    ...(isJsonObject(report["gpu"]) && { gpu: readGpu(report["gpu"]) }),
  };
}

function readUsage(value: unknown): WireUsage {
  const usage = jsonFields(value);
  return { total: numberIn(usage, "total"), used: numberIn(usage, "used") };
}

function readGpu(gpu: JsonObject): WireGpu {
  const cards = Array.isArray(gpu["detailed_info"]) ? gpu["detailed_info"].map(jsonFields) : [];
  return {
    count: numberIn(gpu, "count"),
    average_usage: numberIn(gpu, "average_usage"),
    detailed_info: cards.map((card) => ({
      name: textIn(card, "name"),
      memory_total: numberIn(card, "memory_total"),
      memory_used: numberIn(card, "memory_used"),
      utilization: numberIn(card, "utilization"),
      temperature: numberIn(card, "temperature"),
    })),
  };
}

/** Reads the columns of basic info that can be stored. */
export function readBasicInfo(value: unknown): StoredBasicInfo {
  const columns: Record<string, string | number> = {};
  for (const [name, column] of Object.entries(jsonFields(value))) {
    if (typeof column === "string" || typeof column === "number") columns[name] = column;
  }
  return columns;
}

/** Reads a ping result. */
export function readPingResult(value: unknown): StoredPingResult {
  const result = jsonFields(value);
  return {
    taskId: numberIn(result, "task_id"),
    valueMs: numberIn(result, "value"),
    pingType: textIn(result, "ping_type"),
    finishedAt: textIn(result, "finished_at"),
    ...(typeof result["role"] === "string" && { role: result["role"] }),
  };
}

/** The number in a field; 0 when there is none. */
export function numberIn(object: JsonObject, key: string): number {
  const value = object[key];
  return typeof value === "number" ? value : 0;
}

/** The text in a field; empty when there is none. */
export function textIn(object: JsonObject, key: string): string {
  const value = object[key];
  return typeof value === "string" ? value : "";
}
