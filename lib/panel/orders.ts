/**
 * The panel's orders: a row of the table for each method.
 *
 * @module
 */

import { attempt } from "../attempt.ts";
import type { Abridged } from "../io/abridged_bytes.ts";
import { foreignWords, quoteStart } from "../parse/bounded_text.ts";
import { jsonFields, type JsonObject } from "../parse/json.ts";
import type { Probe } from "../types.ts";
import { isPositiveInteger, isProbeTarget, isProbeType } from "./task_list.ts";

/** An order of the panel. */
export type PanelOrder =
  | { readonly kind: "probe"; readonly probe: Probe }
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
    readonly args: JsonObject;
  }
  | { readonly kind: "startup config"; readonly requestId: string }
  /** An order that was not read, since it is too long. */
  | {
    readonly kind: "too long";
    /** The method of version 2; empty when it could not be found. */
    readonly method: string;
    /** The id of the command or request; `undefined` when it could not be found. */
    readonly orderId: string | undefined;
    readonly lengthBytes: number;
    readonly limitBytes: number;
  }
  /** `latest`, a line such as `1.2.*`, or one version. */
  | { readonly kind: "switch version"; readonly version: string };

/** A message that is no answer. */
export type OrderMessage =
  | PanelOrder
  /** A text for the log. */
  | { readonly kind: "notice"; readonly text: string }
  /** An order that this agent does not know; its name in quotes, bounded. */
  | { readonly kind: "unknown"; readonly method: string }
  /** A message that can't be handled; why, for the log. */
  | { readonly kind: "invalid"; readonly reason: string };

interface OrderRow {
  /** The method of version 2. */
  readonly method: string;
  /** The name in version 1, if it has the order. */
  readonly v1Name?: string;
  /** Tells the panel that this agent knows the order, if panels name it so. */
  readonly capability?: string;
  /** Reads the parameters; a text when they are invalid: why, for the log. */
  parse(params: unknown): OrderMessage | string;
}

const ORDERS: readonly OrderRow[] = [
  { method: "agent.exec", v1Name: "exec", capability: "exec", parse: parseCommand },
  { method: "agent.ping", v1Name: "ping", capability: "ping", parse: parseProbe },
  { method: "agent.message", capability: "message", parse: parseNotice },
  { method: "agent.event", capability: "event", parse: parseNotice },
  {
    method: "agent.terminal.request",
    v1Name: "terminal",
    capability: "terminal",
    parse: parseTerminalRequest,
  },
  { method: "agent.file", capability: "file", parse: parseFileRequest },
  { method: "agent.startupConfig", capability: "startup_config", parse: parseConfigRequest },
  { method: "agent.switchVersion", capability: "switch_version", parse: parseVersionSwitch },
];

/** The capabilities of this agent, as the panel names them. */
export const CAPABILITIES: readonly string[] = ORDERS.flatMap(({ capability }) => capability ?? []);

/** Reads an order of version 2. */
export function readOrder(method: string, params: unknown): OrderMessage {
  const row = ORDERS.find((row) => row.method === method);
  if (row === undefined) return { kind: "unknown", method: quoteStart(method) };
  const order = row.parse(params);
  return typeof order === "string" ? { kind: "invalid", reason: order } : order;
}

/** The method of version 2 that an order has by its name in either version; empty for an unknown one. */
export function methodOf(name: string): string {
  return ORDERS.find(({ method, v1Name }) => name === method || name === v1Name)?.method ?? "";
}

/** Reads an order of version 1, which has its parameters beside its name. */
export function readV1Order(name: string, message: JsonObject): OrderMessage {
  const order = readOrder(methodOf(name) || name, message);
  return order.kind === "terminal" ? { ...order, resumable: false } : order;
}

/** Longest command. */
export const MAX_COMMAND_BYTES = 4 * 1024 * 1024;
const MAX_ID_LENGTH = 200;
const MAX_VERSION_LENGTH = 100;
/** Longest text of the panel in a log line. */
const MAX_LOG_LENGTH = 200;

/** Whether a value is an id that the panel gives its requests and events; the log names them as they are. */
export function isPanelId(value: unknown): value is string {
  return typeof value === "string" && value !== "" && value === foreignWords(value, MAX_ID_LENGTH);
}

/** The part of an untrusted text that a log line may have. */
export function forLog(text: string): string {
  return foreignWords(text, MAX_LOG_LENGTH);
}

function parseProbe(params: unknown): OrderMessage | string {
  const { ping_task_id: id, ping_type: kind, ping_target: target, ping_reference } = jsonFields(
    params,
  );
  if (!isPositiveInteger(id)) return "a probe without an id";
  // Panels that grew from Komari have types of their own, which come again and again.
  if (!isProbeType(kind)) {
    return { kind: "unknown", method: `"agent.ping" of type ${foreignWords(toJson(kind), 40)}` };
  }
  if (!isProbeTarget(target)) return "a probe without a target";
  const reference = isProbeTarget(ping_reference) ? ping_reference.trim() : "";
  return { kind: "probe", probe: { id, kind, target, ...(reference !== "" && { reference }) } };
}

function parseCommand(params: unknown): PanelOrder | string {
  const { task_id: taskId, command } = jsonFields(params);
  if (!isPanelId(taskId)) return "a command without an id";
  if (typeof command !== "string") return "a command without a text";
  // A code unit takes three bytes at most: nearly no command has to be encoded for this.
  const isShort = command.length * 3 <= MAX_COMMAND_BYTES;
  const lengthBytes = isShort ? 0 : new TextEncoder().encode(command).length;
  if (lengthBytes <= MAX_COMMAND_BYTES) return { kind: "command", taskId, command };
  const limitBytes = MAX_COMMAND_BYTES;
  return { kind: "too long", method: "agent.exec", orderId: taskId, lengthBytes, limitBytes };
}

function parseTerminalRequest(params: unknown): PanelOrder | string {
  const { request_id: requestId } = jsonFields(params);
  if (!isPanelId(requestId)) return "a terminal request without an id";
  return { kind: "terminal", requestId, resumable: true };
}

function parseFileRequest(params: unknown): PanelOrder | string {
  const { request_id: requestId, op, args } = jsonFields(params);
  if (!isPanelId(requestId)) return "a file request without an id";
  return { kind: "file", requestId, op: typeof op === "string" ? op : "", args: jsonFields(args) };
}

function parseConfigRequest(params: unknown): PanelOrder | string {
  const { request_id: requestId } = jsonFields(params);
  if (!isPanelId(requestId)) return "a request for the configuration without an id";
  return { kind: "startup config", requestId };
}

function parseVersionSwitch(params: unknown): PanelOrder | string {
  const { version } = jsonFields(params);
  if (typeof version !== "string" || version.length > MAX_VERSION_LENGTH) {
    return "a switch of versions without a version";
  }
  return { kind: "switch version", version };
}

function parseNotice(params: unknown): OrderMessage {
  return { kind: "notice", text: forLog(toJson(params)) };
}

/** Formats a value as JSON, if it is not nested too deep for that. */
function toJson(value: unknown): string {
  return attempt(() => JSON.stringify(value) ?? "nothing") ?? "deeply nested JSON";
}

/** Longest order while remote control is on: a command of 4 MiB, half of whose characters are escaped. */
export const LONG_ORDER_BYTES = 8 * 1024 * 1024;
/** Longest order otherwise. */
export const ORDER_BYTES = 64 * 1024;
/** Longer messages close a WebSocket. */
export const MAX_SKIPPED_BYTES = 64 * 1024 * 1024;

/**
 * Reads what is left of an order: its name, its own id, and that of its event, if it is one.
 *
 * A name in quotes before a colon is a key of JSON: in a text its quotes are escaped.
 */
export function readLongOrder(
  { head, tail, lengthBytes }: Abridged,
  limitBytes: number,
): { id: string | undefined; order: OrderMessage } {
  const ends = [head, tail].map((bytes) => new TextDecoder().decode(bytes));
  const find = (key: string): string | undefined => {
    const pattern = new RegExp(`"${key}"\\s*:\\s*"([^"\\\\]{1,200})"`);
    const [value] = ends.flatMap((text) => pattern.exec(text)?.[1] ?? []);
    return isPanelId(value) ? value : undefined;
  };
  const name = find("method") ?? find("message");
  const orderId = find("task_id") ?? find("request_id");
  const method = methodOf(name ?? "");
  return { id: find("id"), order: { kind: "too long", method, orderId, lengthBytes, limitBytes } };
}
