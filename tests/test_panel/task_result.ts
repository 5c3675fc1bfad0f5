import { numberIn, textIn } from "../../lib/demo/messages.ts";
import { jsonFields } from "../../lib/parse/json.ts";

/** The result of a command. */
export interface TaskResult {
  readonly taskId: string;
  readonly result: string;
  readonly exitCode: number;
  readonly finishedAt: string;
}

/** Reads the result of a command. */
export function readTaskResult(value: unknown): TaskResult {
  const result = jsonFields(value);
  return {
    taskId: textIn(result, "task_id"),
    result: textIn(result, "result"),
    exitCode: numberIn(result, "exit_code"),
    finishedAt: textIn(result, "finished_at"),
  };
}
