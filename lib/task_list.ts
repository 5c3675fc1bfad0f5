import type { ProbeTask } from "./types.ts";

/** What the panel's task list holds. */
export interface TaskList {
  tasks: ProbeTask[];
  /** Tasks that can't be run, and why, in words for the log. */
  skipped: string[];
}

/** More tasks than any panel's user sets up; what lies beyond is skipped. */
const MAX_TASKS = 10_000;
/** No host name and hardly a URL is longer. */
const MAX_TARGET_LENGTH = 2048;

/**
 * Reads the panel's task list. `null` stands for an empty one.
 *
 * @throws {SyntaxError} When it is no JSON array.
 */
export function parseTaskList(text: string): TaskList {
  const list = parseJson(text) ?? [];
  if (!Array.isArray(list)) throw new SyntaxError("Cannot parse the task list: it is no array");
  const tasks = new Map<number, ProbeTask>();
  const skipped: string[] = [];
  for (const item of list.slice(0, MAX_TASKS)) {
    const task = toProbeTask(item);
    if (typeof task === "string") skipped.push(task);
    else tasks.set(task.id, task);
  }
  if (list.length > MAX_TASKS) skipped.push(`all after the first ${MAX_TASKS}`);
  return { tasks: [...tasks.values()], skipped };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new SyntaxError("Cannot parse the task list: it is no JSON", { cause });
  }
}

function toProbeTask(item: unknown): ProbeTask | string {
  if (!isFieldsTaskList(item)) return "one that is no object";
  const { id, type, target, interval } = item;
  if (!isPositiveInteger(id)) return "one without an id";
  if (type !== "icmp" && type !== "tcp" && type !== "http") {
    return `${id} of type ${JSON.stringify(type)?.slice(0, 40)}`;
  }
  if (typeof target !== "string" || target.length > MAX_TARGET_LENGTH) {
    return `${id} without a target`;
  }
  if (!isPositiveInteger(interval)) return `${id} without an interval`;
  return { id, kind: type, target, intervalSeconds: interval };
}

/** Not by a copy: there may be 10,000 of them. */
function isFieldsTaskList(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

function isPositiveInteger(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value > 0;
}
