/**
 * Messages of an agent as the panel stores them. A field that is absent or of a wrong type is 0 or
 * empty, as in the panel's database.
 *
 * @module
 */

import type { WireReport } from "../panel/protocol.ts";
import { isJsonObject, jsonFields } from "../parse/json.ts";

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

const NO_USE = { total: 0, used: 0 };
const NO_REPORT: StoredReport = {
  cpu: { usage: 0 },
  ram: NO_USE,
  swap: NO_USE,
  load: { load1: 0, load5: 0, load15: 0 },
  disk: NO_USE,
  network: { up: 0, down: 0, totalUp: 0, totalDown: 0 },
  connections: { tcp: 0, udp: 0 },
  uptime: 0,
  process: 0,
  message: "",
};
const NO_CARDS = { count: 0, average_usage: 0 };
const NO_CARD = { name: "", memory_total: 0, memory_used: 0, utilization: 0, temperature: 0 };

/** Reads a report. */
export function readReport(value: unknown): StoredReport {
  const { gpu } = jsonFields(value);
  const report = filled(NO_REPORT, value);
  if (!isJsonObject(gpu)) return report;
  const cards = Array.isArray(gpu["detailed_info"]) ? gpu["detailed_info"] : [];
  const detailed_info = cards.map((card) => filled(NO_CARD, card));
  return { ...report, gpu: { ...filled(NO_CARDS, gpu), detailed_info } };
}

/** A value with the fields of a template: its own where they have the type, else the template's. */
export function filled<T extends object>(template: T, value: unknown): T {
  const own = jsonFields(value);
  const fields = Object.entries(template).map(([key, initial]) => {
    const field = own[key];
    if (typeof initial === "object") return [key, filled(initial, field)];
    return [key, typeof field === typeof initial ? field : initial];
  });
  return Object.assign({ ...template }, Object.fromEntries(fields));
}

/** Reads the columns of basic info that can be stored. */
export function readBasicInfo(value: unknown): StoredBasicInfo {
  const columns: Record<string, string | number> = {};
  for (const [name, column] of Object.entries(jsonFields(value))) {
    if (typeof column === "string" || typeof column === "number") columns[name] = column;
  }
  return columns;
}

const NO_RESULT = { task_id: 0, value: 0, ping_type: "", finished_at: "" };

/** Reads a ping result. */
export function readPingResult(value: unknown): StoredPingResult {
  const result = filled(NO_RESULT, value);
  const { role } = jsonFields(value);
  return {
    taskId: result.task_id,
    valueMs: result.value,
    pingType: result.ping_type,
    finishedAt: result.finished_at,
    ...(typeof role === "string" && { role }),
  };
}
