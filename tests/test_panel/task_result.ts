import { filled } from "../../lib/demo/messages.ts";

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
