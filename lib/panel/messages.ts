/**
 * Messages of the panel: orders, and answers to JSON-RPC calls.
 *
 * @module
 */

import { quoteStart } from "../parse/bounded_text.ts";
import {
  hasMoreValues,
  isJsonObject,
  jsonFields,
  type JsonObject,
  parseJson,
} from "../parse/json.ts";
import type { EventText } from "../parse/event_splitter.ts";
import {
  forLog,
  isPanelId,
  type OrderMessage,
  readLongOrder,
  readOrder,
  readV1Order,
} from "./orders.ts";

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
  };

/** The parameters of a call of JSON-RPC. */
export type RpcParams = Readonly<Record<string, unknown>>;

/** An error in an answer. */
export interface RpcError {
  /** The code of JSON-RPC; absent in errors of version 1. */
  readonly code?: number;
  readonly text: string;
}

/** Values of JSON in a message. */
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
    return { kind: "answer", error: { text: forLog(message.error) } };
  }
  return invalid("an unknown shape");
}

function readAnswer(message: JsonObject): PanelMessage {
  const { id, error } = message;
  return {
    kind: "answer",
    ...(typeof id === "number" ? { id } : {}),
    ...(isJsonObject(error) ? { error: readError(error) } : {}),
  };
}

function readError({ code, message, data }: JsonObject): RpcError {
  const text = [message, data].filter((part) => typeof part === "string" && part !== "");
  return { ...(typeof code === "number" ? { code } : {}), text: forLog(text.join(", ")) };
}

/** Parses an event of an answer; `undefined` for one that can't be acknowledged. */
export function parsePanelEvent(text: EventText, limitBytes: number): PanelEvent | undefined {
  if (typeof text !== "string") {
    const { id, order } = readLongOrder(text, limitBytes);
    return id === undefined ? undefined : { id, message: order };
  }
  const isTooMuch = hasMoreValues(text, MAX_VALUES);
  const { id, method, params } = jsonFields(isTooMuch ? undefined : parseJson(text));
  if (!isPanelId(id)) return undefined;
  // Only orders: answers could be nested without end.
  const isNamed = typeof method === "string";
  const message = isNamed ? readOrder(method, params) : invalid("an event without a name");
  return { id, message };
}

function invalid(reason: string): OrderMessage {
  return { kind: "invalid", reason };
}
