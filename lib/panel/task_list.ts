import { foreignWords } from "../parse/bounded_text.ts";
import { hasMoreValues, isJsonObject, parseJson } from "../parse/json.ts";
import { PROBE_TYPES, type ProbeTask, type ProbeType } from "../types.ts";

/** The panel's list of probe tasks. */
export interface TaskList {
  tasks: ProbeTask[];
  /** Invalid tasks, with the reason, for the log. */
  skipped: string[];
}

/** Tasks that are read; further ones are skipped. */
const MAX_TASKS = 10_000;
/** Values of JSON in a task list: 10,000 tasks have no more. */
const MAX_TASK_VALUES = 250_000;
const MAX_TARGET_LENGTH = 2048;

/**
 * Parses the panel's task list. `null` stands for an empty one.
 *
 * @throws {SyntaxError} When it is not a JSON array, or has too many values.
 */
export function parseTaskList(text: string): TaskList {
  if (hasMoreValues(text, MAX_TASK_VALUES)) {
    throw new SyntaxError("Cannot parse the task list: it has too many values");
  }
  const parsed = parseJson(text);
  const list = parsed === null ? [] : parsed;
  if (!Array.isArray(list)) throw new SyntaxError("Cannot parse the task list: it is not an array");
  const tasks = new Map<number, ProbeTask>();
  const skipped: string[] = [];
  for (const item of list.slice(0, MAX_TASKS)) {
    const task = parseTask(item);
    if (typeof task === "string") skipped.push(task);
    else tasks.set(task.id, task);
  }
  if (list.length > MAX_TASKS) skipped.push(`all after the first ${MAX_TASKS}`);
  return { tasks: [...tasks.values()], skipped };
}

/** Whether a value is a type of probe. */
export function isProbeType(value: unknown): value is ProbeType {
  return PROBE_TYPES.some((type) => type === value);
}

/** Whether a value is the text of a target, which `parseProbeTarget()` reads when the probe runs. */
export function isProbeTarget(value: unknown): value is string {
  return typeof value === "string" && value.length <= MAX_TARGET_LENGTH;
}

function parseTask(item: unknown): ProbeTask | string {
  if (!isJsonObject(item)) return "one that is not an object";
  const { id, type, target, interval } = item;
  if (!isPositiveInteger(id)) return "one without an id";
  if (!isProbeType(type)) return `${id} of type ${foreignWords(`${JSON.stringify(type)}`, 40)}`;
  if (!isProbeTarget(target)) return `${id} without a target`;
  if (!isPositiveInteger(interval)) return `${id} without an interval`;
  return { id, kind: type, target, intervalSeconds: interval };
}

/** Whether a value is a whole number above 0, as ids and intervals are. */
export function isPositiveInteger(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value > 0;
}
