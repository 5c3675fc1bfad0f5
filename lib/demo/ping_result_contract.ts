/**
 * The contract of `POST /api/clients/ping/result`.
 *
 * @module
 */

import type { WireTask } from "./wire_task.ts";
import { examine, fields, LARGEST_COUNT } from "./shape.ts";
import { accept, gravest, refuse, type Verdict } from "./verdict.ts";
import { isRfc3339, numberIn, parseWireObject, stringIn } from "./wire_json.ts";

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
