/**
 * Messages of the panel: orders, and answers to JSON-RPC calls.
 *
 * @module
 */

import { quoteStart } from "../parse/bounded_text.ts";
import { hasMoreValues, isJsonObject, type JsonObject, parseJson } from "../parse/json.ts";
import { forLog, isPanelId, type OrderMessage, readOrder, readV1Order } from "./orders.ts";

/** An order with an id, which has to be acknowledged even if it is invalid. */
export interface PanelEvent {
  readonly id: string;
  readonly message: OrderMessage;
}

/** A message of the panel. */
export type PanelMessage =
  | OrderMessage
  | {
    readonly kind: "answer";
    /** The id of the call; absent when the panel could not read it. */
    readonly id?: number;
    /** Absent after a success. */
    readonly error?: RpcError;
    /** Events of the answer, oldest first. */
    readonly events: readonly PanelEvent[];
  };

/** The parameters of a call of JSON-RPC. */
export type RpcParams = Readonly<Record<string, unknown>>;

/** An error in an answer. */
export interface RpcError {
  /** The code of JSON-RPC; absent in errors of version 1. */
  readonly code?: number;
  readonly text: string;
}

const MAX_EVENTS = 256;
/** Values of JSON in a message: 256 events have no more. */
const MAX_VALUES = 5000;

/** Parses a message in the shape of JSON-RPC 2.0 or of version 1; never throws. */
export function parsePanelMessage(text: string): PanelMessage {
  if (hasMoreValues(text, MAX_VALUES)) return invalid("too many values");
  const message = parseJson(text);
  if (message === undefined) return invalid(`not JSON: ${quoteStart(text)}`);
  return isJsonObject(message) ? readMessage(message) : invalid("not an object");
}

function readMessage(message: JsonObject): PanelMessage {
  const { method, params } = message;
  if (typeof method === "string") return readOrder(method, params);
  if ("result" in message || isJsonObject(message.error) || "id" in message) {
    return readAnswer(message);
  }
  const name = message.message;
  if (typeof name === "string") return readV1Order(name, message);
  if (typeof message.error === "string") {
    return { kind: "answer", error: { text: forLog(message.error) }, events: [] };
  }
  return invalid("an unknown shape");
}

function readAnswer(message: JsonObject): PanelMessage {
  const { id, error, result } = message;
  return {
    kind: "answer",
    ...(typeof id === "number" ? { id } : {}),
    ...(isJsonObject(error) ? { error: readError(error) } : {}),
    events: isJsonObject(result) ? readEvents(result.events) : [],
  };
}

function readError({ code, message, data }: JsonObject): RpcError {
  const text = [message, data].filter((part) => typeof part === "string" && part !== "");
  return { ...(typeof code === "number" ? { code } : {}), text: forLog(text.join(", ")) };
}

function readEvents(events: unknown): PanelEvent[] {
  if (!Array.isArray(events)) return [];
  return events.slice(0, MAX_EVENTS).flatMap((event: unknown) => {
    if (!isJsonObject(event) || !isPanelId(event.id)) return [];
    const { id, method, params } = event;
    // Only orders: answers could be nested without end.
    const isNamed = typeof method === "string";
    const message = isNamed ? readOrder(method, params) : invalid("an event without a name");
    return [{ id, message }];
  });
}

function invalid(reason: string): OrderMessage {
  return { kind: "invalid", reason };
}
