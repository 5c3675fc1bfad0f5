/**
 * Incoming JSON: orders of the panel, and answers to JSON-RPC calls.
 *
 * @module
 */

import { quoteStart } from "../parse/bounded_text.ts";
import type { ProbeKind, ProbeTask } from "../types.ts";

/** An order of the panel. */
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
  | { readonly kind: "switch version"; readonly version: string }
  /** A text for the log. */
  | { readonly kind: "notice"; readonly text: string };

/** An order of a name that this agent does not know. */
export interface UnknownOrder {
  readonly kind: "unknown";
  /** The name in quotes, bounded. */
  readonly method: string;
}

/** A message that can't be handled. */
export interface InvalidMessage {
  readonly kind: "invalid";
  /** Why, for the log. */
  readonly reason: string;
}

/** An order with an id, which has to be acknowledged even if it is invalid. */
export interface PanelEvent {
  readonly id: string;
  readonly message: PanelOrder | UnknownOrder | InvalidMessage;
}

/** A message of the panel. */
export type PanelMessage =
  | PanelOrder
  | UnknownOrder
  | {
    readonly kind: "answer";
    /** The id of the call; absent when the panel could not read it. */
    readonly id?: number;
    /** Absent after a success. */
    readonly error?: RpcError;
    /** Events of the answer, oldest first. */
    readonly events: readonly PanelEvent[];
  }
  | InvalidMessage;

/** An error in an answer. */
export interface RpcError {
  /** The code of JSON-RPC; absent in errors of version 1. */
  readonly code?: number;
  readonly text: string;
}

/** Longest command, in UTF-16 code units. */
const MAX_COMMAND_LENGTH = 256 * 1024;
const MAX_TARGET_LENGTH = 2048;
const MAX_ID_LENGTH = 200;
const MAX_EVENTS = 256;
const MAX_VERSION_LENGTH = 100;
/** Longest text of the panel in a log line. */
const MAX_LOG_LENGTH = 200;

/** Values of JSON in a message: 256 events have no more. */
const MAX_VALUES = 5000;

/**
 * Whether JSON has more values than any real message: `[{},{},…]` takes twenty times its own length
 * when it is parsed.
 */
function hasTooManyValues(text: string, max: number): boolean {
  if (text.length <= max) return false;
  let count = 0;
  for (let at = 0; at < text.length; at++) {
    const char = text.charCodeAt(at);
    if (char === QUOTE) at = endOfString(text, at);
    else if (char === COMMA || char === COLON || char === BRACKET || char === BRACE) count++;
    if (count > max) return true;
  }
  return false;
}

const [QUOTE, COMMA, COLON, BRACKET, BRACE, BACKSLASH] = [0x22, 0x2c, 0x3a, 0x5b, 0x7b, 0x5c];

/** The index of the quote that ends the string which begins at `from`. */
function endOfString(text: string, from: number): number {
  for (let end = text.indexOf('"', from + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let backslashes = 0;
    while (text.charCodeAt(end - 1 - backslashes) === BACKSLASH) backslashes++;
    if (backslashes % 2 === 0) return end;
  }
  return text.length;
}

type Fields = Readonly<Record<string, unknown>>;

/** Parses a message in the shape of JSON-RPC 2.0 or of version 1; never throws. */
export function parsePanelMessage(text: string): PanelMessage {
  if (hasTooManyValues(text, MAX_VALUES)) return invalid("too many values");
  let message: unknown;
  try {
    message = JSON.parse(text);
  } catch {
    return invalid(`not JSON: ${quoteStart(text)}`);
  }
  return isFields(message) ? readMessage(message) : invalid("not an object");
}

/** Encodes a JSON-RPC call. */
export function encodeRpcCall(method: string, params: unknown, id: number): string {
  return JSON.stringify({ jsonrpc: "2.0", method, params, id });
}

/** Encodes a JSON-RPC notification, which is not answered. */
export function encodeRpcNotification(method: string, params: unknown): string {
  return JSON.stringify({ jsonrpc: "2.0", method, params });
}

function readMessage(message: Fields): PanelMessage {
  const { method, params } = message;
  if (typeof method === "string") return readOrder(method, params);
  if ("result" in message || isFields(message.error) || "id" in message) return readAnswer(message);
  const name = message.message;
  if (typeof name === "string") {
    const order = readOrder(V1_NAMES.get(name) ?? name, message);
    return order.kind === "terminal" ? { ...order, resumable: false } : order;
  }
  if (typeof message.error === "string") {
    return { kind: "answer", error: { text: forLog(message.error) }, events: [] };
  }
  return invalid("an unknown shape");
}

/** Names of orders in version 1. */
const V1_NAMES: ReadonlyMap<string, string> = new Map([
  ["ping", "agent.ping"],
  ["exec", "agent.exec"],
  ["terminal", "agent.terminal.request"],
]);

function readOrder(
  method: string,
  params: unknown,
): PanelOrder | UnknownOrder | InvalidMessage {
  const fields = isFields(params) ? params : {};
  switch (method) {
    case "agent.ping":
      return readProbe(fields);
    case "agent.exec": {
      const { task_id: taskId, command } = fields;
      if (!isId(taskId)) return invalid("a command without an id");
      if (typeof command !== "string" || command.length > MAX_COMMAND_LENGTH) {
        return invalid("a command without a text, or too long a one");
      }
      return { kind: "command", taskId, command };
    }
    case "agent.terminal.request": {
      const { request_id: requestId } = fields;
      return isId(requestId)
        ? { kind: "terminal", requestId, resumable: true }
        : invalid("a terminal request without an id");
    }
    case "agent.file": {
      const { request_id: requestId, op, args } = fields;
      if (!isId(requestId)) return invalid("a file request without an id");
      const operation = typeof op === "string" ? op : "";
      return { kind: "file", requestId, op: operation, args: isFields(args) ? args : {} };
    }
    case "agent.startupConfig": {
      const { request_id: requestId } = fields;
      return isId(requestId)
        ? { kind: "startup config", requestId }
        : invalid("a request for the configuration without an id");
    }
    case "agent.switchVersion": {
      const { version } = fields;
      return typeof version === "string" && version.length <= MAX_VERSION_LENGTH
        ? { kind: "switch version", version }
        : invalid("a switch of versions without a version");
    }
    case "agent.message":
    case "agent.event":
      return { kind: "notice", text: forLog(toJson(params)) };
    default:
      return { kind: "unknown", method: quoteStart(method) };
  }
}

function readProbe(fields: Fields): PanelOrder | InvalidMessage {
  const { ping_task_id: taskId, ping_type: probe, ping_target: target } = fields;
  if (typeof taskId !== "number" || !Number.isSafeInteger(taskId) || taskId <= 0) {
    return invalid("a probe without an id");
  }
  if (probe !== "icmp" && probe !== "tcp" && probe !== "http") {
    return invalid(`a probe of type ${toJson(probe).slice(0, 40)}`);
  }
  if (typeof target !== "string" || target.length > MAX_TARGET_LENGTH) {
    return invalid("a probe without a target");
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
  return { ...(typeof code === "number" ? { code } : {}), text: forLog(text.join(", ")) };
}

function readEvents(events: unknown): PanelEvent[] {
  if (!Array.isArray(events)) return [];
  return events.slice(0, MAX_EVENTS).flatMap((event: unknown) => {
    if (!isFields(event) || !isId(event.id)) return [];
    const { id, method, params } = event;
    // Only orders: answers could be nested without end.
    const named = typeof method === "string";
    return [{
      id,
      message: named ? readOrder(method, params) : invalid("an event without a name"),
    }];
  });
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isId(value: unknown): value is string {
  return typeof value === "string" && value !== "" && value.length <= MAX_ID_LENGTH;
}

/** Formats a value as JSON, if it is not nested too deep for that. */
function toJson(value: unknown): string {
  try {
    return JSON.stringify(value) ?? "nothing";
  } catch {
    return "deeply nested JSON";
  }
}

function forLog(text: string): string {
  return text.slice(0, MAX_LOG_LENGTH);
}

function invalid(reason: string): InvalidMessage {
  return { kind: "invalid", reason };
}

/** The panel's task list. */
export interface TaskList {
  tasks: ProbeTask[];
  /** Invalid tasks, with the reason, for the log. */
  skipped: string[];
}

/** Tasks that are read; further ones are skipped. */
const MAX_TASKS = 10_000;
/** Values of JSON in a task list: 10,000 tasks have no more. */
const MAX_TASK_VALUES = 250_000;

/**
 * Parses the panel's task list. `null` stands for an empty one.
 *
 * @throws {SyntaxError} When it is not a JSON array, or has too many values.
 */
export function parseTaskList(text: string): TaskList {
  if (hasTooManyValues(text, MAX_TASK_VALUES)) {
    throw new SyntaxError("Cannot parse the task list: it has too many values");
  }
  const list = parseJson(text) ?? [];
  if (!Array.isArray(list)) throw new SyntaxError("Cannot parse the task list: it is not an array");
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
    throw new SyntaxError("Cannot parse the task list: it is not JSON", { cause });
  }
}

function toProbeTask(item: unknown): ProbeTask | string {
  if (!isRecord(item)) return "one that is not an object";
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

/** Does not copy: there may be 10,000 tasks. */
function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

function isPositiveInteger(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value > 0;
}
