/**
 * Answers the JSON-RPC messages of v2, which are the same by POST and over a WebSocket.
 *
 * @module
 */

import type { Fault } from "./fault.ts";
import type { Generation } from "./generation.ts";
import type { Orders } from "./orders.ts";
import type { MessageKind, MessageSink } from "./message_sink.ts";
import type { PanelNode } from "./node.ts";
import type { PanelState } from "./panel_state.ts";
import { fields, findDeviations, type Schema } from "./schema.ts";
import {
  isWireObject,
  parseWireJson,
  stringIn,
  type WireObject,
  type WireValue,
  writeWireJson,
} from "./wire_json.ts";

/** An answer of v2. */
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

/** The answer to an accepted message. */
export function rpcResult(result: unknown, id: WireValue | undefined): RpcReply {
  return reply({ status: 200, id, rest: `"result":${JSON.stringify(result)}` });
}

/** The answer to a refused message. */
export function rpcError(error: RpcFailure, id: WireValue | undefined): RpcReply {
  const { status, body, isSentOverSocket } = reply({
    status: 400,
    id,
    rest: `"error":${JSON.stringify(error)}`,
  });
  return { status, body, isSentOverSocket: isSentOverSocket || error.code === -32700 };
}

function reply(
  { status, id, rest }: { status: 200 | 400; id: WireValue | undefined; rest: string },
): RpcReply {
  const hasId = id !== undefined && id !== null;
  const name = hasId ? `"id":${writeWireJson(id)},` : "";
  return { status, body: `{"jsonrpc":"2.0",${name}${rest}}`, isSentOverSocket: hasId };
}

/** Everything that an answer depends on. */
export interface RpcContext {
  readonly by: "v2 post" | "v2 websocket";
  readonly atMs: number;
  readonly sink: MessageSink;
  readonly node: PanelNode;
  readonly state: PanelState;
  readonly orders: Orders;
  readonly generation: Generation;
  /** Whether the panel lacks the newer columns of basic info. */
  readonly lacksNewerColumns: boolean;
  /** The fault that affects the message. */
  readonly fault?: Fault | undefined;
  /** Time that a pull waits for events. */
  readonly pullWaitMs: number;
  /** Aborts when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
}

/** Maximum number of events in the answer to a report. */
const MAX_EVENTS_WITH_REPORT = 8;

const text = { kind: "string" } as const;
const texts = { kind: "list", of: text } as const;
const envelopeSchema = fields({ jsonrpc: text, method: text }, ["jsonrpc", "method"]);
const reportParamsSchema = fields({ ack_event_ids: texts }, ["ack_event_ids"]);
const pullParamsSchema = fields({ capabilities: texts, ack_event_ids: texts }, [
  "capabilities",
  "ack_event_ids",
]);

/** Answers a message and stores what it brought. */
export async function answerRpc(message: string, context: RpcContext): Promise<RpcReply> {
  const { sink, atMs } = context;
  sink.checkForToken(message, { subject: "rpc", atMs });
  let request: WireValue;
  try {
    request = parseWireJson(message) ?? {};
    if (!isWireObject(request)) throw new TypeError("the message is no object");
  } catch (error) {
    sink.reject("rpc: is no JSON object", atMs);
    const data = error instanceof Error ? error.message : "";
    return rpcError({ code: -32700, message: "parse error", data }, undefined);
  }
  const { params = {}, id, ...envelope } = request;
  if (envelope["jsonrpc"] !== "2.0") {
    sink.reject('rpc: jsonrpc is not "2.0"', atMs);
    return rpcError({ code: -32600, message: "invalid jsonrpc version" }, id);
  }
  recordFindings("rpc", { value: envelope, schema: envelopeSchema, context });
  const method = stringIn(envelope, "method");
  if (context.fault?.name === "rpc-32601") {
    return rpcError({ code: -32601, message: "method not found", data: method }, id);
  }
  if (context.fault?.name === "rpc-32000") {
    return rpcError({ code: -32000, message: "failed to save", data: "database is locked" }, id);
  }
  const { hasSessions, managesAgents } = context.generation;
  const isKnown = managesAgents || (method !== "agent.startupConfig.result" &&
    (hasSessions || !/^agent\.(taskResult|file\.result)$/.test(method)));
  switch (isKnown ? method : "") {
    case "agent.report":
      return answerReport(params, { id, context });
    case "agent.basicInfo": {
      const { info = {}, ...rest } = isWireObject(params) ? params : { info: params };
      recordFindings("rpc", { value: rest, schema: fields({}), context });
      return deliverToSink("basic info", { value: info, id, context });
    }
    case "agent.pingResult":
      return deliverToSink("ping result", { value: params, id, context });
    case "agent.taskResult":
      return deliverToSink("task result", { value: params, id, context });
    case "agent.file.result":
      return answerResult("agent.file.result", { value: params, id, context });
    case "agent.startupConfig.result":
      return answerResult("agent.startupConfig.result", { value: params, id, context });
    case "agent.pull":
      return await answerPull(params, { id, context });
    default:
      if (!NEWER_METHODS.includes(method)) sink.reject("rpc: the method is unknown", atMs);
      return rpcError({ code: -32601, message: "method not found", data: method }, id);
  }
}

/** Methods that agents try although a panel up to 1.4 does not know them: the second checks a token. */
const NEWER_METHODS = ["agent.taskResult", "agent.noop"];

interface RpcCall {
  readonly id: WireValue | undefined;
  readonly context: RpcContext;
}

function answerReport(params: WireValue, { id, context }: RpcCall): RpcReply {
  const { report = {}, ...rest } = isWireObject(params) ? params : { report: params };
  const fits = recordFindings("rpc", { value: rest, schema: reportParamsSchema, context });
  if (!fits) return invalidParams("report", { id, context });
  const reply = deliverToSink("report", { value: report, id, context });
  if (reply.status !== 200) return reply;
  context.node.onReport(2, { presence: true });
  const events = context.node.queue.poll(acknowledgedIds(rest), MAX_EVENTS_WITH_REPORT);
  return rpcResult({ events, status: "success" }, id);
}

async function answerPull(params: WireValue, { id, context }: RpcCall): Promise<RpcReply> {
  const { sink, node, state, atMs, pullWaitMs, signal } = context;
  const fits = recordFindings("rpc", { value: params, schema: pullParamsSchema, context });
  if (!isWireObject(params) || !fits) return invalidParams("pull", { id, context });
  node.onPull();
  state.count("pulls");
  const acknowledged = acknowledgedIds(params);
  if (context.by === "v2 post") {
    const events = await node.queue.longPoll(acknowledged, { waitMs: pullWaitMs, signal });
    return rpcResult({ events }, id);
  }
  if (!context.generation.hasSessions) {
    sink.addViolations(["rpc: a pull came over a WebSocket"], atMs);
  }
  return rpcResult({ events: node.queue.poll(acknowledged) }, id);
}

/** Matches the result of an order with the request that waits for it. */
function answerResult(
  method: "agent.file.result" | "agent.startupConfig.result",
  { value, id, context }: RpcCall & { value: WireValue },
): RpcReply {
  const { sink, orders, by, atMs } = context;
  if (!isWireObject(value)) return invalidParams("result", { id, context });
  const message = { body: writeWireJson(value), by, atMs };
  let violations: readonly string[] | undefined;
  if (method === "agent.file.result") {
    const validation = sink.receiveFileResult(message);
    if (!validation.accepted) return rpcError({ code: -32602, message: "invalid params" }, id);
    violations = orders.files.receiveResult(validation.value);
  } else {
    const validation = sink.receiveStartupConfig(message);
    if (!validation.accepted) return rpcError({ code: -32602, message: "invalid params" }, id);
    violations = orders.receiveStartupConfig(validation.value) ? [] : undefined;
  }
  if (violations === undefined) {
    sink.reject(`rpc: ${method} answers no request`, atMs);
    return rpcError({ code: -32004, message: "request not found" }, id);
  }
  sink.addViolations(violations, atMs);
  return rpcResult({ status: "success" }, id);
}

/** Passes a message to the sink and answers with its validation, in the errors of v2. */
function deliverToSink(
  kind: MessageKind,
  { value, id, context }: RpcCall & { value: WireValue },
): RpcReply {
  const { sink, by, atMs, lacksNewerColumns } = context;
  if (!isWireObject(value)) return invalidParams(kind, { id, context });
  const validation = sink.receive(kind, {
    body: writeWireJson(value),
    by,
    atMs,
    lacksNewerColumns,
  });
  if (validation.accepted) return rpcResult({ status: "success" }, id);
  const data = validation.violations[0] ?? "";
  return validation.answer.status === 400
    ? rpcError({ code: -32602, message: `invalid ${kind} params`, data }, id)
    : rpcError({ code: -32000, message: `failed to save ${kind}`, data: databaseError(data) }, id);
}

/** The database's error for an unknown column, which agents may look for. */
function databaseError(violation: string): string {
  const column = /^basic info: (\w+) is not part/.exec(violation)?.[1];
  if (violation === "") return "no such column: kernel_version";
  return column === undefined ? violation : `no such column: ${column}`;
}

function invalidParams(kind: string, { id, context }: RpcCall): RpcReply {
  context.sink.reject(`rpc: the parameters of ${kind} can't be read`, context.atMs);
  return rpcError({ code: -32602, message: `invalid ${kind} params` }, id);
}

/** Records violations; false when a value is of a wrong type. */
function recordFindings(
  subject: string,
  { value, schema, context }: { value: WireValue; schema: Schema; context: RpcContext },
): boolean {
  const findings = findDeviations(value, schema);
  context.sink.addViolations(findings.map((one) => `${subject}: ${one.text}`), context.atMs);
  return findings.every((one) => one.kind !== "type");
}

function acknowledgedIds(params: WireObject): string[] {
  const ids = params["ack_event_ids"];
  return Array.isArray(ids) ? ids.filter((id) => typeof id === "string") : [];
}
