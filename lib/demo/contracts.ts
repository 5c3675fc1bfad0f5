/**
 * The contract of `POST /api/clients/uploadBasicInfo`.
 *
 * The probes that the stand-in panel asks for.
 *
 * The contract of `POST /api/clients/ping/result`.
 *
 * The contract of `POST /api/clients/task/result`.
 *
 * @module
 */

import { count, examine, fields, LARGEST_COUNT } from "./schema.ts";
import { accept, gravest, refuse, type Verdict } from "./validation.ts";
import { isRfc3339, numberIn, parseWireObject, stringIn, WireNumber } from "./wire_json.ts";

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

/** A probe task as the panel sends it; an admin can save any type, target and interval. */
export interface WireTask {
  readonly id: number;
  readonly name: string;
  readonly type: string;
  readonly target: string;
  /** Seconds. */
  readonly interval: number;
}

/** One probe of each kind against the panel's own machine. */
export function loopbackTasks(port: number): WireTask[] {
  const here = `127.0.0.1:${port}`;
  return [
    { id: 1, name: "Ping", type: "icmp", target: "127.0.0.1", interval: 2 },
    { id: 2, name: "Connect", type: "tcp", target: here, interval: 3 },
    { id: 3, name: "Request", type: "http", target: `http://${here}/`, interval: 5 },
  ];
}

/** The task list as it stands on the wire, with the fields that an agent has to overlook. */
export function taskList(tasks: readonly WireTask[]): string {
  return JSON.stringify(
    tasks.map((task) => ({ ...task, weight: 0, clients: [], default_on: false })),
  );
}

/** A probe's result as the panel stores it. */
export interface WirePingResult {
  readonly taskId: number;
  /** Milliseconds, or -1 when it was lost. */
  readonly valueMs: number;
  readonly pingType: string;
  readonly finishedAt: string;
}

const shapePingResultContract = fields({
  task_id: { kind: "integer", accepted: [0, LARGEST_COUNT], allowed: [1, LARGEST_COUNT] },
  value: { kind: "integer", allowed: [-1, LARGEST_COUNT] },
  ping_type: { kind: "string" },
  finished_at: { kind: "string" },
});

/**
 * Holds a result's body against the contract and the list of tasks.
 *
 * The panel reads the time of v2 alone, and refuses what it can't read.
 */
export function checkPingResult(
  body: string,
  options: { tasks: readonly WireTask[]; readsTime?: boolean },
): Verdict<WirePingResult> {
  const result = parseWireObject(body);
  if (result === undefined) {
    return refuse(
      { status: 400, body: { status: "error", message: "Invalid or missing request body" } },
      ["ping result: is no JSON object"],
    );
  }
  const findings = examine(result, shapePingResultContract);
  const violations = findings.map((finding) => `ping result: ${finding.text}`);
  const refusal = gravest(findings, { fraction: 400, type: 400, "out of range": 400 });
  if (refusal !== undefined) {
    const message = `Invalid request: ${refusal.finding.text}`;
    return refuse({ status: 400, body: { status: "error", message } }, violations);
  }
  const value = {
    taskId: numberIn(result, "task_id"),
    valueMs: numberIn(result, "value"),
    pingType: stringIn(result, "ping_type"),
    finishedAt: stringIn(result, "finished_at"),
  };
  const task = options.tasks.find((task) => task.id === value.taskId);
  if (task === undefined) {
    violations.push(`ping result: task_id is of no task: ${value.taskId}`);
  } else if (task.type !== value.pingType) {
    violations.push(
      `ping result: ping_type of task ${task.id} must be "${task.type}", is "${value.pingType}"`,
    );
  }
  if (!isRfc3339(value.finishedAt)) {
    violations.push(`ping result: finished_at is no time with a zone: "${value.finishedAt}"`);
    if (options.readsTime === true) {
      return refuse({ status: 400, body: { status: "error", message: "no time" } }, violations);
    }
  }
  return accept(value, violations);
}

/** What a command wrote and how it ended, as the panel stores it. */
export interface WireTaskResult {
  readonly taskId: string;
  readonly result: string;
  readonly exitCode: number;
  readonly finishedAt: string;
}

const shapeTaskResultContract = fields({
  task_id: { kind: "string" },
  result: { kind: "string" },
  exit_code: { kind: "integer", allowed: [-(2 ** 31), 2 ** 31 - 1] },
  finished_at: { kind: "string" },
});

/** Holds a result's body against the contract and the commands that were sent. */
export function checkTaskResult(
  body: string,
  options: { isKnown: (taskId: string) => boolean },
): Verdict<WireTaskResult> {
  const result = parseWireObject(body);
  if (result === undefined) {
    return refuse(
      { status: 400, body: { status: "error", message: "Invalid or missing request body" } },
      ["task result: is no JSON object"],
    );
  }
  const findings = examine(result, shapeTaskResultContract);
  const violations = findings.map((finding) => `task result: ${finding.text}`);
  if (gravest(findings, { fraction: 400, type: 400 }) !== undefined) {
    return refuse(
      { status: 400, body: { status: "error", message: "Invalid request" } },
      violations,
    );
  }
  const value = {
    taskId: stringIn(result, "task_id"),
    result: stringIn(result, "result"),
    exitCode: numberIn(result, "exit_code"),
    finishedAt: stringIn(result, "finished_at"),
  };
  if (!options.isKnown(value.taskId)) {
    violations.push(`task result: task_id is of no command, or was told before`);
  }
  // Panels up to 1.1.8 refuse the empty text.
  if (value.result === "") violations.push("task result: result is empty");
  if (!isRfc3339(value.finishedAt)) {
    violations.push(`task result: finished_at is no time with a zone: "${value.finishedAt}"`);
  }
  return accept(value, violations);
}
