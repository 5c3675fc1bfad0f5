/**
 * The calls over HTTP, answered as the panel answers them.
 *
 * @module
 */

import { type Answer, jsonAnswer, textAnswer } from "./answer.ts";
import { taskList } from "./contracts.ts";
import type { Fault } from "./fault.ts";
import { callName, type Exchange, type RequestHead, RPC_PATH } from "./http_call.ts";
import type { Intake, MessageKind } from "./message_sink.ts";
import type { Node } from "./node.ts";
import type { PanelState } from "./panel_state.ts";
import type { Registry } from "./registry.ts";
import { answerRpc } from "./rpc.ts";

/** What an answer depends on. */
export interface ApiContext {
  readonly registry: Registry;
  readonly state: PanelState;
  readonly intake: Intake;
  readonly node: Node;
  /** The newest version that the panel speaks. */
  readonly speaks: 1 | 2;
  /** How long a pull is held. */
  readonly holdMs: number;
  /** Whether to answer as a panel that lacks the newer columns of basic info. */
  readonly oldPanel: boolean;
  /** The fault that strikes the call. */
  readonly fault?: Fault | undefined;
  /** Aborts when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
}

const TERMINAL_PATH = "/api/clients/terminal";

/** Which WebSocket a path is for; `undefined` when it is for none. */
export function socketKind(
  path: string,
  options: { speaks: 1 | 2 },
): "v1" | "v2" | "terminal" | undefined {
  if (path === "/api/clients/report") return "v1";
  if (path === RPC_PATH && options.speaks === 2) return "v2";
  return path === TERMINAL_PATH ? "terminal" : undefined;
}

/** Refuses whoever comes from a foreign page or with a wrong token. */
export function refuseStranger(
  head: Pick<RequestHead, "headers" | "query">,
  { registry, speaks }: Pick<ApiContext, "registry" | "speaks">,
): Answer | undefined {
  if (isForeign(head)) return { status: 403, headers: {}, body: "" };
  if (registry.isKnown(head.query.get("token"))) return undefined;
  return speaks === 1
    ? jsonAnswer(401, { status: "error", error: "invalid token" })
    : jsonAnswer(401, { status: "error", message: "Unauthorized." });
}

function isForeign({ headers }: Pick<RequestHead, "headers">): boolean {
  const { origin, host } = headers;
  return origin !== undefined && origin !== `http://${host}`;
}

/**
 * Answers a call and remembers what it brought.
 *
 * `undefined` when the path is none of the interface and a page is what the panel would send.
 */
export async function answerCall(
  exchange: Exchange,
  context: ApiContext,
): Promise<Answer | undefined> {
  const { method, path, body, atMs } = exchange;
  const { intake, node, state, speaks } = context;
  const socket = method === "GET" ? socketKind(path, { speaks }) : undefined;
  const isRpc = method === "POST" && path === RPC_PATH && speaks === 2;
  const name = isRpc || path === RPC_PATH ? undefined : callName(exchange);
  if (name === undefined && socket === undefined && !isRpc) {
    return method === "GET" ? undefined : textAnswer(404, "404 page not found");
  }
  if (name === "register" && !isForeign(exchange)) return context.registry.register(exchange);
  const refusal = refuseStranger(exchange, context);
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
    return { ...jsonAnswer(200, null), body: taskList(state.tasks) };
  }
  intake.search(body, { what: `${name}`, atMs });
  const answer = settle(messageKind(name), exchange, context);
  if (name === "report" && answer.status === 200) node.reported(1, { presence: true });
  return answer;
}

function settle(kind: MessageKind, { atMs, body }: Exchange, context: ApiContext): Answer {
  const verdict = context.intake.take(kind, {
    body,
    atMs,
    by: "v1 post",
    oldPanel: context.oldPanel,
  });
  if (!verdict.accepted) return verdict.answer;
  return kind === "task result"
    ? jsonAnswer(200, { message: "Task result updated successfully", status: "success" })
    : jsonAnswer(200, { status: "success" });
}

function messageKind(name: string | undefined): MessageKind {
  return name === "basic info" || name === "ping result" || name === "task result"
    ? name
    : "report";
}
