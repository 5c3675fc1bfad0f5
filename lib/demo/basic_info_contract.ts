/**
 * The contract of `POST /api/clients/uploadBasicInfo`.
 *
 * @module
 */

import { count, examine, fields } from "./shape.ts";
import { accept, gravest, refuse, type Verdict } from "./verdict.ts";
import { parseWireObject, WireNumber } from "./wire_json.ts";

/** Basic info as the panel stores it, column by column; sizes in bytes. */
export type WireBasicInfo = Readonly<Record<string, string | number>>;

const text = { kind: "string" } as const;
const stored = count([0, 2 ** 63 - 1024]);
const shape = fields({
  arch: text,
  cpu_name: text,
  cpu_cores: stored,
  cpu_physical_cores: stored,
  mem_total: stored,
  swap_total: stored,
  disk_total: stored,
  gpu_name: text,
  ipv4: text,
  ipv6: text,
  os: text,
  kernel_version: text,
  virtualization: text,
  version: text,
}, [
  "arch",
  "cpu_name",
  "cpu_physical_cores",
  "gpu_name",
  "ipv4",
  "ipv6",
  "os",
  "kernel_version",
  "virtualization",
  "version",
]);

/** The columns that old panels don't have. */
const lateColumns = ["cpu_physical_cores", "kernel_version"];

/**
 * Holds a basic info's body against the contract.
 *
 * A fraction is refused here, with 500. The real panel takes it and then fails for everybody, which
 * no test would see.
 */
export function checkBasicInfo(
  body: string,
  options: { oldPanel?: boolean } = {},
): Verdict<WireBasicInfo> {
  const info = parseWireObject(body);
  if (info === undefined) {
    return refuse(
      { status: 400, body: { status: "error", error: "Invalid or missing data" } },
      ["basic info: is no JSON object"],
    );
  }
  const findings = examine(info, shape);
  const violations = findings.map((finding) => `basic info: ${finding.text}`);
  const refusal = gravest(findings, {
    fraction: 500,
    "out of range": 500,
    type: 500,
    unknown: 500,
  });
  const tooNew = options.oldPanel === true && lateColumns.some((name) => Object.hasOwn(info, name));
  if (refusal !== undefined || tooNew) {
    // The panel has no words for it either.
    return refuse({ status: 500, body: { status: "error", error: {} } }, violations);
  }
  const columns: Record<string, string | number> = {};
  for (const [name, value] of Object.entries(info)) {
    if (typeof value === "string") columns[name] = value;
    else if (value instanceof WireNumber) columns[name] = value.value;
  }
  return accept(columns, violations);
}
