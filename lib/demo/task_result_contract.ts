/**
 * The contract of `POST /api/clients/task/result`.
 *
 * @module
 */

import { examine, fields } from "./shape.ts";
import { accept, gravest, refuse, type Verdict } from "./verdict.ts";
import { isRfc3339, numberIn, parseWireObject, stringIn } from "./wire_json.ts";

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
