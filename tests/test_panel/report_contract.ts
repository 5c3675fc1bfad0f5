/**
 * The contract of reports.
 *
 * @module
 */

import { readReport, type StoredReport } from "../../lib/demo/messages.ts";
import { openLinuxMachine } from "../../lib/metrics/machine.ts";
import { configOf } from "../metrics/config_of.ts";
import { FakeMachine } from "../metrics/fake_machine.ts";
import type { ContractOptions } from "./contracts.ts";
import {
  accept,
  count,
  fields,
  findDeviations,
  type Finding,
  findRefusal,
  MAX_COUNT,
  refuse,
  type Validation,
} from "./schema.ts";
import { parseWireObject } from "./wire_json.ts";

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

/** The fields whose source a collector tells, under the name that they have in a report. */
const COLLECTED: ReadonlySet<string> = new Set(
  openLinuxMachine(new FakeMachine("debian-vm"), configOf()).collectors
    .flatMap((collector) => Object.keys(collector.sources())),
);

/** Whether it is the value of a newer collector, which panels ignore. */
function isCollected({ kind, path }: Finding): boolean {
  return kind === "unknown" && COLLECTED.has(path);
}

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
  const findings = findDeviations(report, reportSchema).filter((it) => !isCollected(it));
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
  const value = readReport(JSON.parse(body));
  for (const name of ["ram", "swap", "disk"] as const) {
    if (value[name].used > value[name].total) {
      violations.push(`report: ${name}.used is more than ${name}.total`);
    }
  }
  return accept(value, violations);
}
