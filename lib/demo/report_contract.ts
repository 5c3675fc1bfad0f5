/**
 * The contract of reports.
 *
 * @module
 */

import type { ContractOptions } from "./contracts.ts";
import {
  accept,
  count,
  fields,
  findDeviations,
  findRefusal,
  MAX_COUNT,
  refuse,
  type Validation,
} from "./schema.ts";
import {
  numberIn,
  objectIn,
  objectsIn,
  parseWireObject,
  stringIn,
  type WireObject,
} from "./wire_json.ts";

/** A report as the panel stores it; sizes in bytes, speeds in bytes per second. */
export interface StoredReport {
  readonly cpu: { readonly usage: number };
  readonly ram: StoredUsage;
  readonly swap: StoredUsage;
  readonly load: { readonly load1: number; readonly load5: number; readonly load15: number };
  readonly disk: StoredUsage;
  readonly network: {
    readonly up: number;
    readonly down: number;
    readonly totalUp: number;
    readonly totalDown: number;
  };
  readonly connections: { readonly tcp: number; readonly udp: number };
  readonly uptime: number;
  readonly process: number;
  readonly message: string;
  readonly gpu?: StoredGpu;
}

/** Graphics cards as the panel stores them; sizes in bytes, degrees Celsius. */
export interface StoredGpu {
  readonly count: number;
  readonly average_usage: number;
  readonly detailed_info: readonly {
    readonly name: string;
    readonly memory_total: number;
    readonly memory_used: number;
    readonly utilization: number;
    readonly temperature: number;
  }[];
}

/** A capacity and the used part of it, in bytes. */
export interface StoredUsage {
  readonly total: number;
  readonly used: number;
}

// The panel refuses numbers that a signed integer of 64 bits can't hold.
const storedInteger = count([0, 2 ** 63 - 1024]);
const usage = fields({ total: storedInteger, used: storedInteger });
const load = { kind: "float", allowed: [0, MAX_COUNT] } as const;
const percent = { kind: "float", allowed: [0, 100] } as const;

const reportSchema = fields({
  // A 0 is storedInteger as "no value".
  cpu: fields({ usage: { kind: "float", accepted: [0, 100], allowed: [0.001, 100] } }),
  ram: usage,
  swap: usage,
  load: fields({ load1: { ...load, accepted: [0, 1000] }, load5: load, load15: load }),
  disk: usage,
  network: fields({
    up: storedInteger,
    down: storedInteger,
    totalUp: storedInteger,
    totalDown: storedInteger,
  }),
  connections: fields({ tcp: storedInteger, udp: storedInteger }),
  uptime: count(),
  process: storedInteger,
  message: { kind: "string" },
  gpu: fields({
    count: count(),
    average_usage: percent,
    detailed_info: {
      kind: "list",
      of: fields({
        name: { kind: "string" },
        memory_total: count(),
        memory_used: count(),
        utilization: percent,
        temperature: { kind: "integer", allowed: [-273, 1000] },
      }),
    },
  }),
}, ["gpu"]);

/** Validates the body of a report. Old panels don't check ranges, and version 2 accepts `2.0` for 2. */
export function validateReport(
  body: string,
  { generation, version }: ContractOptions,
): Validation<StoredReport> {
  const report = parseWireObject(body);
  if (report === undefined) {
    return refuse(
      { status: 400, body: { error: "Invalid request body" } },
      ["report: is no JSON object"],
    );
  }
  const findings = findDeviations(report, reportSchema);
  const violations = findings.map((finding) => `report: ${finding.text}`);
  const refusal = findRefusal(findings, {
    fraction: 400,
    notation: version === 1 ? 400 : undefined,
    type: 400,
    "out of range": generation.isLegacy ? undefined : 500,
  });
  if (refusal !== undefined) {
    const error = refusal.status === 400 ? "Invalid request body" : refusal.finding.text;
    return refuse({ status: refusal.status, body: { error } }, violations);
  }
  const value = storedReport(report);
  for (const name of ["ram", "swap", "disk"] as const) {
    if (value[name].used > value[name].total) {
      violations.push(`report: ${name}.used is more than ${name}.total`);
    }
  }
  return accept(value, violations);
}

function storedReport(report: WireObject): StoredReport {
  const network = objectIn(report, "network");
  const connections = objectIn(report, "connections");
  const averages = objectIn(report, "load");
  return {
    cpu: { usage: numberIn(objectIn(report, "cpu"), "usage") },
    ram: storedUsage(report, "ram"),
    swap: storedUsage(report, "swap"),
    load: {
      load1: numberIn(averages, "load1"),
      load5: numberIn(averages, "load5"),
      load15: numberIn(averages, "load15"),
    },
    disk: storedUsage(report, "disk"),
    network: {
      up: numberIn(network, "up"),
      down: numberIn(network, "down"),
      totalUp: numberIn(network, "totalUp"),
      totalDown: numberIn(network, "totalDown"),
    },
    connections: { tcp: numberIn(connections, "tcp"), udp: numberIn(connections, "udp") },
    uptime: numberIn(report, "uptime"),
    process: numberIn(report, "process"),
    message: stringIn(report, "message"),
    ...("gpu" in report && { gpu: storedGpu(objectIn(report, "gpu")) }),
  };
}

function storedGpu(gpu: WireObject): StoredGpu {
  return {
    count: numberIn(gpu, "count"),
    average_usage: numberIn(gpu, "average_usage"),
    detailed_info: objectsIn(gpu, "detailed_info").map((card) => ({
      name: stringIn(card, "name"),
      memory_total: numberIn(card, "memory_total"),
      memory_used: numberIn(card, "memory_used"),
      utilization: numberIn(card, "utilization"),
      temperature: numberIn(card, "temperature"),
    })),
  };
}

function storedUsage(report: WireObject, key: string): StoredUsage {
  const object = objectIn(report, key);
  return { total: numberIn(object, "total"), used: numberIn(object, "used") };
}
