/**
 * Answers the messages of an agent, in JSON-RPC, which are the same by POST and over a WebSocket.
 *
 * @module
 */

import { isJsonObject, jsonFields, parseJson } from "../parse/json.ts";
import { readBasicInfo, readPingResult, readReport } from "./messages.ts";
import type { PanelNode } from "./node.ts";
import type { ReceivedBy } from "./panel_state.ts";

/** An answer to a message. */
export interface RpcReply {
  /** The HTTP status by POST. */
  readonly status: 200 | 400;
  readonly body: string;
  /** Whether a WebSocket gets it, too: answers to messages with an id and to unreadable ones. */
  readonly isSentOverSocket: boolean;
}

/** An error of JSON-RPC in the panel's words. */
export interface RpcFailure {
  readonly code: -32700 | -32600 | -32601 | -32602 | -32004 | -32000;
  readonly message: string;
  readonly data?: string;
}

/** How a message came. */
export interface Arrival {
  readonly by: ReceivedBy;
  /** Milliseconds since 1970. */
  readonly atMs: number;
  /** Aborts when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
}

/** Everything that an answer depends on. */
export interface RpcContext {
  readonly node: PanelNode;
  /** Time that a pull waits for events. */
  readonly pullWaitMs: number;
}

/** The answer to an accepted message. */
export function rpcResult(result: unknown, id: unknown): RpcReply {
  const hasId = id !== undefined && id !== null;
  const body = JSON.stringify({ jsonrpc: "2.0", ...(hasId && { id }), result });
  return { status: 200, body, isSentOverSocket: hasId };
}

/** The answer to a refused message. */
export function rpcError(error: RpcFailure, id?: unknown): RpcReply {
  const hasId = id !== undefined && id !== null;
  const body = JSON.stringify({ jsonrpc: "2.0", ...(hasId && { id }), error });
  return { status: 400, body, isSentOverSocket: hasId || error.code === -32700 };
}

/** Far more than any message, compressed or not. */
const MAX_BODY_BYTES = 8 * 1024 * 1024;

/**
 * Reads the body of a request; `undefined` when it is too large. It may be compressed by gzip; one that
 * is broken is read as an empty one.
 */
export async function readBody(
  { body, headers }: Request,
  { maxBytes = MAX_BODY_BYTES } = {},
): Promise<string | undefined> {
  const isPacked = headers.get("content-encoding")?.toLowerCase() === "gzip";
  const plain = isPacked ? body?.pipeThrough(new DecompressionStream("gzip")) : body;
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let length = 0;
  try {
    for await (const chunk of plain ?? []) {
      length += chunk.length;
      if (length > maxBytes) return undefined;
      chunks.push(chunk);
    }
  } catch {
    return "";
  }
  return await new Blob(chunks).text();
}

/** Maximum number of events in the answer to a report. */
const MAX_EVENTS_WITH_REPORT = 8;

/** Answers a message and stores what it brought. */
export async function answerRpc(
  message: string,
  arrival: Arrival,
  { node, pullWaitMs }: RpcContext,
): Promise<RpcReply> {
  const { by, atMs } = arrival;
  const { state } = node;
  const refuse = (error: RpcFailure, id?: unknown) => {
    state.countRefused();
    return rpcError(error, id);
  };
  const request = parseJson(message);
  if (!isJsonObject(request)) return refuse({ code: -32700, message: "parse error" });
  const { id, jsonrpc, method } = request;
  if (jsonrpc !== "2.0") return refuse({ code: -32600, message: "invalid jsonrpc version" }, id);
  const params = jsonFields(request["params"]);
  const received = { by, atMs };
  switch (method) {
    case "agent.report": {
      state.addReport({ ...received, value: readReport(params["report"]) });
      node.onContact();
      const events = node.queue.poll(acknowledgedIds(params), MAX_EVENTS_WITH_REPORT);
      return rpcResult({ events, status: "success" }, id);
    }
    case "agent.basicInfo":
      state.addBasicInfo({ ...received, value: readBasicInfo(params["info"]) });
      break;
    case "agent.pingResult":
      state.addPingResult({ ...received, value: readPingResult(params) });
      break;
    case "agent.pull": {
      node.onContact();
      const acknowledged = acknowledgedIds(params);
      // Over a WebSocket nothing has to wait: events are sent over it as they come.
      const events = by === "v2 post"
        ? await node.queue.longPoll(acknowledged, { waitMs: pullWaitMs, signal: arrival.signal })
        : node.queue.poll(acknowledged);
      return rpcResult({ events }, id);
    }
    default:
      return refuse({ code: -32601, message: "method not found", data: String(method) }, id);
  }
  return rpcResult({ status: "success" }, id);
}

function acknowledgedIds({ ack_event_ids: ids }: Readonly<Record<string, unknown>>): string[] {
  return Array.isArray(ids) ? ids.filter((id) => typeof id === "string") : [];
}
