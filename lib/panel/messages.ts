/**
 * What a panel says of its own accord, and how it answers calls of JSON-RPC.
 *
 * @module
 */

import type { ProbeKind, ProbeTask } from "../types.ts";

/** Something that the panel wants done. */
export type PanelOrder =
  | {
    readonly kind: "probe";
    readonly taskId: number;
    readonly probe: ProbeKind;
    readonly target: string;
  }
  | { readonly kind: "command"; readonly taskId: string; readonly command: string }
  | {
    readonly kind: "terminal";
    readonly requestId: string;
    /** Whether the panel asks again with the same id when its user comes back: from 1.5 on. */
    readonly resumable: boolean;
  }
  | {
    readonly kind: "file";
    readonly requestId: string;
    readonly op: string;
    /** Arguments of the operation, unchecked. */
    readonly args: Readonly<Record<string, unknown>>;
  }
  | { readonly kind: "startup config"; readonly requestId: string }
  /** `latest`, a line such as `1.2.*`, or one version. */
  | { readonly kind: "version"; readonly version: string }
  /** Words for the log. */
  | { readonly kind: "notice"; readonly text: string };

/** Nothing that could be dealt with. */
export interface InvalidMessage {
  readonly kind: "unusable";
  /** Why, in words for the log. */
  readonly reason: string;
}

/** An order that waits for an acknowledgement, which is due even when it is of no use. */
export interface PanelEvent {
  readonly id: string;
  readonly message: PanelOrder | InvalidMessage;
}

/** One message of a panel. */
export type PanelMessage =
  | PanelOrder
  | {
    readonly kind: "answer";
    /** Of the call that is answered; absent when the panel could not read which it was. */
    readonly id?: number;
    /** Absent when the call went well. */
    readonly error?: RpcError;
    /** Orders that came along, oldest first. */
    readonly events: readonly PanelEvent[];
  }
  | InvalidMessage;

/** Why the panel did not take a call. */
export interface RpcError {
  /** As JSON-RPC has it; absent in an error of another make. */
  readonly code?: number;
  readonly text: string;
}

/** No command, target or notice is longer. */
const MAX_TEXT_LENGTH = 1024 * 1024;
const MAX_TARGET_LENGTH = 2048;
const MAX_ID_LENGTH = 200;
const MAX_EVENTS = 256;
const WORDS_SHOWN = 200;

type Fields = Readonly<Record<string, unknown>>;

/** Reads a message in the shape of JSON-RPC 2.0 or in the older one; never throws. */
export function parsePanelMessage(text: string): PanelMessage {
  let message: unknown;
  try {
    message = JSON.parse(text);
  } catch {
    return unusable(`no JSON: ${JSON.stringify(text.slice(0, 40))}`);
  }
  return isFields(message) ? readMessage(message) : unusable("no object");
}

/** A call of JSON-RPC, as text. */
export function encodeRpcCall(method: string, params: unknown, id: number): string {
  return JSON.stringify({ jsonrpc: "2.0", method, params, id });
}

function readMessage(message: Fields): PanelMessage {
  const { method, params } = message;
  if (typeof method === "string") return readOrder(method, params);
  if ("result" in message || isFields(message.error) || "id" in message) return readAnswer(message);
  const older = message.message;
  if (typeof older === "string") {
    const order = readOrder(OLDER_NAMES.get(older) ?? older, message);
    return order.kind === "terminal" ? { ...order, resumable: false } : order;
  }
  if (typeof message.error === "string") {
    return { kind: "answer", error: { text: words(message.error) }, events: [] };
  }
  return unusable("of no known shape");
}

/** What the older shape calls its orders. */
const OLDER_NAMES: ReadonlyMap<string, string> = new Map([
  ["ping", "agent.ping"],
  ["exec", "agent.exec"],
  ["terminal", "agent.terminal.request"],
]);

function readOrder(method: string, params: unknown): PanelOrder | InvalidMessage {
  const fields = isFields(params) ? params : {};
  switch (method) {
    case "agent.ping":
      return readProbe(fields);
    case "agent.exec": {
      const { task_id: taskId, command } = fields;
      if (!isId(taskId)) return unusable("a command without an id");
      if (typeof command !== "string" || command.length > MAX_TEXT_LENGTH) {
        return unusable("a command without words");
      }
      return { kind: "command", taskId, command };
    }
    case "agent.terminal.request": {
      const { request_id: requestId } = fields;
      return isId(requestId)
        ? { kind: "terminal", requestId, resumable: true }
        : unusable("a terminal request without an id");
    }
    case "agent.file": {
      const { request_id: requestId, op, args } = fields;
      if (!isId(requestId)) return unusable("a file request without an id");
      const operation = typeof op === "string" ? op : "";
      return { kind: "file", requestId, op: operation, args: isFields(args) ? args : {} };
    }
    case "agent.startupConfig": {
      const { request_id: requestId } = fields;
      return isId(requestId)
        ? { kind: "startup config", requestId }
        : unusable("a request for the configuration without an id");
    }
    case "agent.switchVersion": {
      const { version } = fields;
      return { kind: "version", version: typeof version === "string" ? version : "" };
    }
    case "agent.message":
    case "agent.event":
      return { kind: "notice", text: words(inWords(params)) };
    default:
      return unusable(`an order of name ${JSON.stringify(method.slice(0, 40))}`);
  }
}

function readProbe(fields: Fields): PanelOrder | InvalidMessage {
  const { ping_task_id: taskId, ping_type: probe, ping_target: target } = fields;
  if (typeof taskId !== "number" || !Number.isSafeInteger(taskId) || taskId <= 0) {
    return unusable("a probe without an id");
  }
  if (probe !== "icmp" && probe !== "tcp" && probe !== "http") {
    return unusable(`a probe of type ${inWords(probe).slice(0, 40)}`);
  }
  if (typeof target !== "string" || target.length > MAX_TARGET_LENGTH) {
    return unusable("a probe without a target");
  }
  return { kind: "probe", taskId, probe, target };
}

function readAnswer(message: Fields): PanelMessage {
  const { id, error, result } = message;
  return {
    kind: "answer",
    ...(typeof id === "number" ? { id } : {}),
    ...(isFields(error) ? { error: readError(error) } : {}),
    events: isFields(result) ? readEvents(result.events) : [],
  };
}

function readError({ code, message, data }: Fields): RpcError {
  const text = [message, data].filter((part) => typeof part === "string" && part !== "");
  return { ...(typeof code === "number" ? { code } : {}), text: words(text.join(", ")) };
}

function readEvents(events: unknown): PanelEvent[] {
  if (!Array.isArray(events)) return [];
  return events.slice(0, MAX_EVENTS).flatMap((event: unknown) => {
    if (!isFields(event) || !isId(event.id)) return [];
    const { id, method, params } = event;
    // Only an order: an answer in an answer could go on for ever.
    const named = typeof method === "string";
    return [{
      id,
      message: named ? readOrder(method, params) : unusable("an event without a name"),
    }];
  });
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isId(value: unknown): value is string {
  return typeof value === "string" && value !== "" && value.length <= MAX_ID_LENGTH;
}

/** JSON as text; what is nested too deep to be written is not worth reading either. */
function inWords(value: unknown): string {
  try {
    return JSON.stringify(value) ?? "nothing";
  } catch {
    return "something nested deep";
  }
}

function words(text: string): string {
  return text.slice(0, WORDS_SHOWN);
}

function unusable(reason: string): InvalidMessage {
  return { kind: "unusable", reason };
}

/** What the panel's task list holds. */
export interface TaskList {
  tasks: ProbeTask[];
  /** Tasks that can't be run, and why, in words for the log. */
  skipped: string[];
}

/** More tasks than any panel's user sets up; what lies beyond is skipped. */
const MAX_TASKS = 10_000;

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
