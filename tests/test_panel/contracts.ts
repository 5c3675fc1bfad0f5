/**
 * Contracts of basic info, ping results and task results.
 *
 * @module
 */

import {
  filled,
  readBasicInfo,
  readPingResult,
  type StoredBasicInfo,
  type StoredPingResult,
} from "../../lib/demo/messages.ts";
import type { WireTask } from "../../lib/demo/panel_state.ts";
import type { Generation } from "./generation.ts";
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
import { isRfc3339, parseWireObject, stringIn, WireNumber, type WireObject } from "./wire_json.ts";

/** The result of a command. */
export interface TaskResult {
  readonly taskId: string;
  readonly result: string;
  readonly exitCode: number;
  readonly finishedAt: string;
}

const NO_RESULT = { task_id: "", result: "", exit_code: 0, finished_at: "" };

/** Reads the result of a command. */
export function readTaskResult(value: unknown): TaskResult {
  const { task_id, result, exit_code, finished_at } = filled(NO_RESULT, value);
  return { taskId: task_id, result, exitCode: exit_code, finishedAt: finished_at };
}

const text = { kind: "string" } as const;
const storedInteger = count([0, 2 ** 63 - 1024]);
const basicInfoFields = {
  arch: text,
  cpu_name: text,
  cpu_cores: storedInteger,
  cpu_physical_cores: storedInteger,
  mem_total: storedInteger,
  swap_total: storedInteger,
  disk_total: storedInteger,
  gpu_name: text,
  ipv4: text,
  ipv6: text,
  os: text,
  kernel_version: text,
  virtualization: text,
  version: text,
};
/** Sizes without which old panels refuse the record. */
const requiredColumns = ["cpu_cores", "mem_total", "swap_total", "disk_total"];
const optionalColumns = Object.keys(basicInfoFields).filter((it) => !requiredColumns.includes(it));
const basicInfoSchema = fields(basicInfoFields, optionalColumns);
const newerBasicInfoSchema = fields(
  { ...basicInfoFields, icmp_capability: text },
  [...optionalColumns, "icmp_capability"],
);

/** The panel and the version of its interface that a message came by. */
export interface ContractOptions {
  readonly generation: Generation;
  readonly version: 1 | 2;
}

/**
 * Validates the body of a basic info.
 *
 * With `lacksNewerColumns` the panel has no columns for kernel and physical cores. A fraction is
 * refused here, with 500. The real panel stores it and then fails for everybody, which no test would
 * see.
 */
export function validateBasicInfo(
  body: string,
  { generation, version, lacksNewerColumns = false }: ContractOptions & {
    lacksNewerColumns?: boolean | undefined;
  },
): Validation<StoredBasicInfo> {
  const info = parseWireObject(body);
  if (info === undefined) {
    return refuse(
      { status: 400, body: { status: "error", error: "Invalid or missing data" } },
      ["basic info: is no JSON object"],
    );
  }
  const { hasNewerProbes = false } = generation;
  const schema = hasNewerProbes ? newerBasicInfoSchema : basicInfoSchema;
  const findings = findDeviations(info, schema);
  const violations = findings.map((finding) => `basic info: ${finding.text}`);
  const refusal = findRefusal(findings, {
    fraction: 500,
    notation: version === 1 ? 500 : undefined,
    "out of range": 500,
    type: 500,
    unknown: 500,
  });
  const isIncomplete = generation.isLegacy &&
    requiredColumns.some((name) => !(info[name] instanceof WireNumber));
  const hasUnknownColumn = Object.hasOwn(info, "cpu_physical_cores")
    ? generation.isLegacy || lacksNewerColumns
    : lacksNewerColumns && Object.hasOwn(info, "kernel_version");
  if (refusal !== undefined || isIncomplete || hasUnknownColumn) {
    // The panel gives no reason either.
    return refuse({ status: 500, body: { status: "error", error: {} } }, violations);
  }
  return accept(readBasicInfo(JSON.parse(body)), violations);
}

const pingResultFields = {
  task_id: { kind: "integer", accepted: [0, MAX_COUNT], allowed: [1, MAX_COUNT] },
  value: { kind: "integer", allowed: [-1, MAX_COUNT] },
  ping_type: { kind: "string" },
  finished_at: { kind: "string" },
} as const;
const pingResultSchema = fields(pingResultFields);
const newerPingResultSchema = fields({ ...pingResultFields, role: text }, ["role"]);

/** The types that the results of a task may have. */
function resultTypes({ type }: WireTask, { isReference }: { isReference: boolean }): string[] {
  if (type !== "auto" && type !== "dual") return [type];
  return isReference ? ["icmp"] : ["icmp", "tcp"];
}

/**
 * Validates the body of a ping result against the contract and the list of tasks.
 *
 * Version 2 refuses a malformed time, old panels a missing one as well.
 */
export function validatePingResult(
  body: string,
  { tasks, generation, version }: ContractOptions & { tasks: readonly WireTask[] },
): Validation<StoredPingResult> {
  const { isLegacy } = generation;
  const refuseWith = (message: string, violations: readonly string[]) =>
    refuse(
      { status: 400, body: isLegacy ? { error: message } : { message, status: "error" } },
      violations,
    );
  const result = parseWireObject(body);
  if (result === undefined) {
    return refuseWith("Invalid or missing request body", ["ping result: is no JSON object"]);
  }
  const { hasNewerProbes = false } = generation;
  const schema = hasNewerProbes ? newerPingResultSchema : pingResultSchema;
  const findings = findDeviations(result, schema);
  const violations = findings.map((finding) => `ping result: ${finding.text}`);
  const refusal = findRefusal(findings, {
    fraction: 400,
    notation: isLegacy ? 400 : undefined,
    missing: isLegacy ? 400 : undefined,
    type: 400,
    "out of range": 400,
  });
  if (refusal !== undefined) {
    return refuseWith(`Invalid request: ${refusal.finding.text}`, violations);
  }
  const value = readPingResult(JSON.parse(body));
  const task = tasks.find((task) => task.id === value.taskId);
  const isReference = value.role === "reference";
  const types = task === undefined ? [] : resultTypes(task, { isReference });
  if (task === undefined) {
    violations.push(`ping result: task_id is of no task: ${value.taskId}`);
  } else if (!types.includes(value.pingType)) {
    const expected = types.map((type) => `"${type}"`).join(" or ");
    violations.push(
      `ping result: ping_type of task ${task.id} must be ${expected}, is "${value.pingType}"`,
    );
  }
  if (value.role !== undefined && (!isReference || task?.reference === undefined)) {
    violations.push(`ping result: role of task ${value.taskId} is "${value.role}"`);
  }
  if (isMalformedTime(result)) {
    violations.push(`ping result: finished_at is no time with a zone: "${value.finishedAt}"`);
    if (version === 2 || isLegacy) return refuseWith("Invalid request: no time", violations);
  }
  return accept(value, violations);
}

const taskResultSchema = fields({
  task_id: { kind: "string" },
  result: { kind: "string" },
  exit_code: { kind: "integer", allowed: [-(2 ** 31), 2 ** 31 - 1] },
  finished_at: { kind: "string" },
});

/**
 * Validates the body of a task result against the contract and the commands that were sent.
 *
 * Old panels refuse an empty result; version 2 and old panels refuse a malformed time.
 */
export function validateTaskResult(
  body: string,
  { isKnown, generation, version }: ContractOptions & { isKnown: (taskId: string) => boolean },
): Validation<TaskResult> {
  const { isLegacy } = generation;
  const refuseWith = (message: string, violations: readonly string[]) =>
    refuse({ status: 400, body: { message, status: "error" } }, violations);
  const result = parseWireObject(body);
  if (result === undefined) {
    return refuseWith("Invalid or missing request body", ["task result: is no JSON object"]);
  }
  const findings = findDeviations(result, taskResultSchema);
  const violations = findings.map((finding) => `task result: ${finding.text}`);
  const notation = version === 1 ? 400 : undefined;
  if (findRefusal(findings, { fraction: 400, notation, type: 400 }) !== undefined) {
    return refuseWith("Invalid request", violations);
  }
  const value = readTaskResult(JSON.parse(body));
  if (!isKnown(value.taskId)) {
    violations.push(`task result: task_id is of no command, or came before`);
  }
  // Panels up to 1.1.8 refuse an empty text.
  if (version === 1 && value.result === "") violations.push("task result: result is empty");
  if (isMalformedTime(result)) {
    violations.push(`task result: finished_at is no time with a zone: "${value.finishedAt}"`);
  }
  const isRefused = isLegacy && value.result === "" ||
    (isLegacy || version === 2) && isMalformedTime(result);
  return isRefused ? refuseWith("Invalid request", violations) : accept(value, violations);
}

function isMalformedTime(result: WireObject): boolean {
  return Object.hasOwn(result, "finished_at") && !isRfc3339(stringIn(result, "finished_at"));
}
