/**
 * Routes of the panel's HTTP interface and the answers to its calls.
 *
 * @module
 */

import { taskListJson } from "./probe_tasks.ts";
import type { Fault } from "./fault.ts";
import { type Answer, jsonAnswer, textAnswer } from "./http_answer.ts";
import type { Generation } from "./generation.ts";
import { callName, type ReceivedRequest, type RequestHead, RPC_PATH } from "./http_request.ts";
import type { MessageKind, MessageSink } from "./message_sink.ts";
import type { PanelNode } from "./node.ts";
import type { Orders } from "./orders.ts";
import type { PanelState } from "./panel_state.ts";
import type { Registry } from "./registry.ts";
import { answerRpc } from "./rpc.ts";

/** Everything that an answer depends on. */
export interface ApiContext {
  readonly registry: Registry;
  readonly state: PanelState;
  readonly sink: MessageSink;
  readonly node: PanelNode;
  readonly orders: Orders;
  readonly generation: Generation;
  /** Time that a pull waits for events. */
  readonly pullWaitMs: number;
  /** Whether the panel lacks the newer columns of basic info. */
  readonly lacksNewerColumns: boolean;
  /** The fault that affects the call. */
  readonly fault?: Fault | undefined;
  /** Aborts when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
}

/** A WebSocket by its path. */
export type SocketKind = "v1" | "v2" | "terminal";

const V1_SOCKET_PATH = "/api/clients/report";
const REGISTER_PATH = "/api/clients/register";
const VERSION_PATH = "/api/version";
const TERMINAL_PATH = "/api/clients/terminal";

/** Which WebSocket a path belongs to; `undefined` when it belongs to none. */
export function socketKindOf(path: string, generation: Generation): SocketKind | undefined {
  if (path === V1_SOCKET_PATH && generation.hasV1) return "v1";
  if (path === RPC_PATH && generation.hasV2) return "v2";
  return path === TERMINAL_PATH ? "terminal" : undefined;
}

/** Refuses requests from a foreign page or with a wrong token. */
export function refuseUnauthorized(
  head: Pick<RequestHead, "headers" | "query">,
  { registry, generation }: Pick<ApiContext, "registry" | "generation">,
): Answer | undefined {
  if (!generation.isLegacy && isForeignOrigin(head)) return { status: 403, headers: {}, body: "" };
  if (registry.isKnown(head.query.get("token"))) return undefined;
  return generation.isLegacy
    ? jsonAnswer(401, { status: "error", error: "invalid token" })
    : jsonAnswer(401, { status: "error", message: "Unauthorized." });
}

function isForeignOrigin({ headers }: Pick<RequestHead, "headers">): boolean {
  const { origin, host } = headers;
  return origin !== undefined && origin !== `http://${host}`;
}

/**
 * Answers a call and stores what it brought.
 *
 * `undefined` when the path is none of the interface and the panel would send its page.
 */
export async function answerApiRequest(
  request: ReceivedRequest,
  context: ApiContext,
): Promise<Answer | undefined> {
  const { method, path, body, atMs } = request;
  const { sink, node, state, generation } = context;
  const socket = method === "GET" ? socketKindOf(path, generation) : undefined;
  const isRpc = method === "POST" && path === RPC_PATH && generation.hasV2;
  const hasRoute = path !== RPC_PATH && (generation.hasV1 || path === REGISTER_PATH);
  const name = hasRoute ? callName(request) : undefined;
  if (method === "GET" && path === VERSION_PATH) {
    const { version } = generation;
    const data = { version, hash: "unknown" };
    return jsonAnswer(200, { status: "success", message: "", data });
  }
  if (name === undefined && socket === undefined && !isRpc) {
    return method === "GET" ? undefined : textAnswer(404, "404 page not found");
  }
  if (name === "register" && !isForeignOrigin(request)) return context.registry.register(request);
  const refusal = refuseUnauthorized(request, context);
  if (refusal !== undefined) return refusal;
  if (isRpc) {
    const { status, body: text } = await answerRpc(body, { ...context, by: "v2 post", atMs });
    return { ...jsonAnswer(status, null), body: text };
  }
  if (socket === "terminal") {
    return jsonAnswer(404, { error: "Session not found", status: "error" });
  }
  if (socket !== undefined) {
    return jsonAnswer(400, { error: "Require WebSocket upgrade", status: "error" });
  }
  if (name === "task list") {
    state.count("taskLists");
    return { ...jsonAnswer(200, null), body: taskListJson(state.tasks) };
  }
  sink.checkForToken(body, { subject: `${name}`, atMs });
  const answer = deliver(messageKind(name), request, context);
  if (name === "report" && answer.status === 200) node.onReport(1, { presence: true });
  return answer;
}

function deliver(kind: MessageKind, { atMs, body }: ReceivedRequest, context: ApiContext): Answer {
  const validation = context.sink.receive(kind, {
    body,
    atMs,
    by: "v1 post",
    lacksNewerColumns: context.lacksNewerColumns,
  });
  if (!validation.accepted) return validation.answer;
  return kind === "task result"
    ? jsonAnswer(200, { message: "Task result updated successfully", status: "success" })
    : jsonAnswer(200, { status: "success" });
}

function messageKind(name: string | undefined): MessageKind {
  return name === "basic info" || name === "ping result" || name === "task result"
    ? name
    : "report";
}
