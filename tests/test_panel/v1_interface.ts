/**
 * Version 1 of the interface, which panels up to 1.4 have.
 *
 * @module
 */

import { type Answer, jsonAnswer } from "./http.ts";
import type { ReceivedRequest } from "./http.ts";
import type { WireTask } from "../../lib/demo/panel_state.ts";
import type { ContractChecker } from "./contract_checker.ts";
import type { GenerationNode } from "./generation_node.ts";
import type { TestFault } from "./test_fault.ts";
import { parseWireObject, stringIn, writeWireJson } from "./wire_json.ts";

/** The path of WebSockets, and of reports by POST. */
export const V1_REPORT_PATH = "/api/clients/report";

/** Everything that an answer depends on. */
export interface V1Context {
  readonly node: GenerationNode;
  readonly contract: ContractChecker;
  /** The fault that affects the message. */
  readonly fault: TestFault | undefined;
}

type Receiver = (body: string, atMs: number, context: V1Context) => Answer;

const accepted = jsonAnswer(200, { status: "success" });

/** Receives the messages that come by POST, by their path. */
const receivers: Readonly<Record<string, Receiver>> = {
  [V1_REPORT_PATH]: (body, atMs, { node, contract, fault }) => {
    const validation = contract.report(body, { atMs, version: 1, fault });
    if (!validation.accepted) return validation.answer;
    node.state.addReport({ atMs, by: "v1 post", value: validation.value });
    node.onV1Report({ isPresent: true });
    return accepted;
  },
  "/api/clients/uploadBasicInfo": (body, atMs, { node, contract, fault }) => {
    const validation = contract.basicInfo(body, { atMs, version: 1, fault });
    if (!validation.accepted) return validation.answer;
    node.state.addBasicInfo({ atMs, by: "v1 post", value: validation.value });
    return accepted;
  },
  "/api/clients/ping/result": (body, atMs, { node, contract, fault }) => {
    const validation = contract.pingResult(body, { atMs, version: 1, fault });
    if (!validation.accepted) return validation.answer;
    node.state.addPingResult({ atMs, by: "v1 post", value: validation.value });
    return accepted;
  },
  "/api/clients/task/result": (body, atMs, { node, contract, fault }) => {
    const validation = contract.taskResult(body, { atMs, version: 1, fault });
    if (!validation.accepted) return validation.answer;
    node.state.addCommandResult({ atMs, by: "v1 post", value: validation.value });
    return jsonAnswer(200, { message: "Task result updated successfully", status: "success" });
  },
};

/** Whether a call is one of version 1. */
export function isV1Call({ method, path }: ReceivedRequest): boolean {
  return method === "POST"
    ? Object.hasOwn(receivers, path)
    : method === "GET" && (path === V1_REPORT_PATH || path === "/api/clients/ping/tasks");
}

/** Answers a call of version 1 and stores what it brought. */
export function answerV1Call(request: ReceivedRequest, context: V1Context): Answer {
  const { method, path, body, atMs } = request;
  const { node, contract } = context;
  if (method === "POST") {
    contract.checkForToken(body, { subject: path, atMs });
    return receivers[path]?.(body, atMs, context) ?? jsonAnswer(404, null);
  }
  if (path === V1_REPORT_PATH) {
    return jsonAnswer(400, { error: "Require WebSocket upgrade", status: "error" });
  }
  node.state.count("taskLists");
  return { ...jsonAnswer(200, null), body: taskListJson(node.state.tasks) };
}

/** The task list as JSON, with the fields that an agent has to ignore. */
function taskListJson(tasks: readonly WireTask[]): string {
  return JSON.stringify(
    tasks.map((task) => ({ ...task, weight: 0, clients: [], default_on: false })),
  );
}

/** Handles a message over a WebSocket; returns the error to answer, and nothing for a valid message. */
export function handleV1Message(message: string, context: V1Context): string | undefined {
  const { node, contract, fault } = context;
  const by = "v1 websocket";
  const atMs = Date.now();
  contract.checkForToken(message, { subject: by, atMs });
  const object = parseWireObject(message);
  if (object === undefined) {
    contract.reject(`${by}: is no JSON object`, atMs);
    return "Invalid JSON";
  }
  if (Object.hasOwn(object, "jsonrpc")) {
    // The panel stores a report of zeros without any error.
    contract.addViolations([`${by}: a message of v2`], atMs);
    node.onV1Report({ isPresent: false });
    return undefined;
  }
  const { type, ...rest } = object;
  const kind = type === undefined ? "" : stringIn(object, "type");
  const body = writeWireJson(rest);
  if (kind === "ping_result") {
    const validation = contract.pingResult(body, { atMs, version: 1, fault });
    if (!validation.accepted) return "Invalid ping result format";
    node.state.addPingResult({ atMs, by, value: validation.value });
    return undefined;
  }
  if (kind !== "" && kind !== "report") {
    contract.reject(`${by}: the type is unknown`, atMs);
    return "Unknown message type";
  }
  const validation = contract.report(body, { atMs, version: 1, fault });
  if (validation.accepted) {
    node.state.addReport({ atMs, by, value: validation.value });
    node.onV1Report({ isPresent: false });
    return undefined;
  }
  return validation.answer.status === 400
    ? "Invalid report format"
    : validation.violations[0] ?? "out of range";
}

/** Names the call of a message over a WebSocket. */
export function v1CallName(message: string): string {
  const object = parseWireObject(message) ?? {};
  return stringIn(object, "type") === "ping_result"
    ? "POST /api/clients/ping/result"
    : `POST ${V1_REPORT_PATH}`;
}
