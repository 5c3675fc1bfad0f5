/**
 * Answers of JSON-RPC.
 *
 * JSON-RPC of v2, the same by POST and over a WebSocket.
 *
 * @module
 */

import type { Fault } from "./fault.ts";
import type { Intake } from "./message_sink.ts";
import type { Node } from "./node.ts";
import type { PanelState } from "./panel_state.ts";
import { examine, fields, type Rule } from "./schema.ts";
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
  /** The status that goes with it by POST. */
  readonly status: 200 | 400;
  readonly body: string;
  /** Whether it is sent over a WebSocket too: to messages with an id and to unreadable ones. */
  readonly isWanted: boolean;
}

/** A failure, its number and words as the panel has them. */
export interface RpcError {
  readonly code: -32700 | -32600 | -32601 | -32602 | -32000;
  readonly message: string;
  readonly data?: string;
}

/** The message was taken. */
export function rpcResult(result: unknown, id: WireValue | undefined): RpcReply {
  return reply({ status: 200, id, rest: `"result":${JSON.stringify(result)}` });
}

/** The message was refused. */
export function rpcError(error: RpcError, id: WireValue | undefined): RpcReply {
  const { status, body, isWanted } = reply({
    status: 400,
    id,
    rest: `"error":${JSON.stringify(error)}`,
  });
  return { status, body, isWanted: isWanted || error.code === -32700 };
}

function reply(
  { status, id, rest }: { status: 200 | 400; id: WireValue | undefined; rest: string },
): RpcReply {
  const hasId = id !== undefined && id !== null;
  const name = hasId ? `"id":${writeWireJson(id)},` : "";
  return { status, body: `{"jsonrpc":"2.0",${name}${rest}}`, isWanted: hasId };
}

/** What an answer depends on. */
export interface RpcContext {
  readonly by: "v2 post" | "v2 websocket";
  readonly atMs: number;
  readonly intake: Intake;
  readonly node: Node;
  readonly state: PanelState;
  readonly oldPanel: boolean;
  /** The fault that strikes the message. */
  readonly fault?: Fault | undefined;
  /** How long a pull is held. */
  readonly holdMs: number;
  /** Aborts when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
}

/** How many events an answer to a report holds. */
const MOST_WITH_REPORT = 8;

const text = { kind: "string" } as const;
const texts = { kind: "list", of: text } as const;
const envelopeRule = fields({ jsonrpc: text, method: text }, ["jsonrpc", "method"]);
const reportRule = fields({ ack_event_ids: texts }, ["ack_event_ids"]);
const pullRule = fields({ capabilities: texts, ack_event_ids: texts }, [
  "capabilities",
  "ack_event_ids",
]);

/** Answers a message of v2 and remembers what it brought. */
export async function answerRpc(message: string, context: RpcContext): Promise<RpcReply> {
  const { intake, atMs } = context;
  intake.search(message, { what: "rpc", atMs });
  let request: WireValue;
  try {
    request = parseWireJson(message) ?? {};
    if (!isWireObject(request)) throw new TypeError("the message is no object");
  } catch (error) {
    intake.refuse("rpc: is no JSON object", atMs);
    const data = error instanceof Error ? error.message : "";
    return rpcError({ code: -32700, message: "parse error", data }, undefined);
  }
  const { params = {}, id, ...envelope } = request;
  if (envelope["jsonrpc"] !== "2.0") {
    intake.refuse('rpc: jsonrpc is not "2.0"', atMs);
    return rpcError({ code: -32600, message: "invalid jsonrpc version" }, id);
  }
  noteFindings("rpc", { value: envelope, rule: envelopeRule, context });
  const method = stringIn(envelope, "method");
  if (context.fault?.name === "rpc-32601") {
    return rpcError({ code: -32601, message: "method not found", data: method }, id);
  }
  if (context.fault?.name === "rpc-32000") {
    return rpcError({ code: -32000, message: "failed to save", data: "database is locked" }, id);
  }
  switch (method) {
    case "agent.report":
      return answerReport(params, { id, context });
    case "agent.basicInfo": {
      const { info = {}, ...rest } = isWireObject(params) ? params : { info: params };
      noteFindings("rpc", { value: rest, rule: fields({}), context });
      return settle("basic info", { value: info, id, context });
    }
    case "agent.pingResult":
      return settle("ping result", { value: params, id, context });
    case "agent.pull":
      return await answerPull(params, { id, context });
    default:
      intake.refuse("rpc: the method is unknown", atMs);
      return rpcError({ code: -32601, message: "method not found", data: method }, id);
  }
}

interface Asked {
  readonly id: WireValue | undefined;
  readonly context: RpcContext;
}

function answerReport(params: WireValue, { id, context }: Asked): RpcReply {
  const { report = {}, ...rest } = isWireObject(params) ? params : { report: params };
  const fits = noteFindings("rpc", { value: rest, rule: reportRule, context });
  if (!fits) return badParams("report", { id, context });
  const reply = settle("report", { value: report, id, context });
  if (reply.status !== 200) return reply;
  context.node.reported(2, { presence: true });
  const events = context.node.queue.take(acknowledgedIn(rest), MOST_WITH_REPORT);
  return rpcResult({ events, status: "success" }, id);
}

async function answerPull(params: WireValue, { id, context }: Asked): Promise<RpcReply> {
  const { intake, node, state, atMs, holdMs, signal } = context;
  const fits = noteFindings("rpc", { value: params, rule: pullRule, context });
  if (!isWireObject(params) || !fits) return badParams("pull", { id, context });
  node.pulled();
  state.count("pulls");
  const acknowledged = acknowledgedIn(params);
  if (context.by === "v2 post") {
    const events = await node.queue.wait(acknowledged, { holdMs, signal });
    return rpcResult({ events }, id);
  }
  intake.note(["rpc: a pull came over a WebSocket"], atMs);
  return rpcResult({ events: node.queue.take(acknowledged) }, id);
}

/** Gives a message to the contract and says what it says in the words of v2. */
function settle(
  kind: "report" | "basic info" | "ping result",
  { value, id, context }: Asked & { value: WireValue },
): RpcReply {
  const { intake, by, atMs, oldPanel } = context;
  if (!isWireObject(value)) return badParams(kind, { id, context });
  const verdict = intake.take(kind, { body: writeWireJson(value), by, atMs, oldPanel });
  if (verdict.accepted) return rpcResult({ status: "success" }, id);
  const data = verdict.violations[0] ?? "";
  return verdict.answer.status === 400
    ? rpcError({ code: -32602, message: `invalid ${kind} params`, data }, id)
    : rpcError({ code: -32000, message: `failed to save ${kind}`, data: inSql(data) }, id);
}

/** What a database says to a column that it does not have, which agents may look for. */
function inSql(violation: string): string {
  const column = /^basic info: (\w+) is not part/.exec(violation)?.[1];
  if (violation === "") return "no such column: kernel_version";
  return column === undefined ? violation : `no such column: ${column}`;
}

function badParams(kind: string, { id, context }: Asked): RpcReply {
  context.intake.refuse(`rpc: the parameters of ${kind} can't be read`, context.atMs);
  return rpcError({ code: -32602, message: `invalid ${kind} params` }, id);
}

/** Writes down what is wrong; false when something is of a wrong type. */
function noteFindings(
  what: string,
  { value, rule, context }: { value: WireValue; rule: Rule; context: RpcContext },
): boolean {
  const findings = examine(value, rule);
  context.intake.note(findings.map((one) => `${what}: ${one.text}`), context.atMs);
  return findings.every((one) => one.departure !== "type");
}

function acknowledgedIn(params: WireObject): string[] {
  const ids = params["ack_event_ids"];
  return Array.isArray(ids) ? ids.filter((id) => typeof id === "string") : [];
}
