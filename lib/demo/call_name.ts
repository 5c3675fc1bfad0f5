/**
 * Which of an agent's calls a request or a message is.
 *
 * @module
 */

import type { CallName } from "./fault.ts";

/** The path of v2, for POST and for WebSockets. */
export const RPC_PATH = "/api/clients/v2/rpc";

const calls: Readonly<Record<string, CallName>> = {
  "POST /api/clients/uploadBasicInfo": "basic info",
  "POST /api/clients/report": "report",
  "GET /api/clients/ping/tasks": "task list",
  "POST /api/clients/ping/result": "ping result",
  "POST /api/clients/task/result": "task result",
  "POST /api/clients/register": "register",
};

const methods: Readonly<Record<string, CallName>> = {
  "agent.report": "report",
  "agent.basicInfo": "basic info",
  "agent.pingResult": "ping result",
  "agent.pull": "pull",
};

/** The name of a request; `undefined` for any other path. */
export function callName(
  request: { readonly method: string; readonly path: string; readonly body: string },
): CallName | undefined {
  if (request.path === RPC_PATH && request.method === "POST") return rpcCallName(request.body);
  const key = `${request.method} ${request.path}`;
  return Object.hasOwn(calls, key) ? calls[key] : undefined;
}

/** The name of a message of v2. */
export function rpcCallName(message: string): CallName | undefined {
  const method = fieldOf(message, "method");
  return method !== undefined && Object.hasOwn(methods, method) ? methods[method] : undefined;
}

/** The name of a message over a WebSocket of v1. */
export function socketCallName(message: string): CallName {
  return fieldOf(message, "type") === "ping_result" ? "ping result" : "report";
}

function fieldOf(message: string, name: string): string | undefined {
  try {
    const value: unknown = JSON.parse(message);
    if (typeof value !== "object" || value === null) return undefined;
    const field = new Map(Object.entries(value)).get(name);
    return typeof field === "string" ? field : undefined;
  } catch {
    return undefined;
  }
}
