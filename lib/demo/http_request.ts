/**
 * Requests to the stand-in panel, read to their end, and which of an agent's calls each one is.
 *
 * @module
 */

import type { IncomingMessage } from "node:http";
import type { CallName } from "./fault.ts";

/** The path of v2, for POST and for WebSockets. */
export const RPC_PATH = "/api/clients/v2/rpc";

/** Far more than any message of the contract, compressed or not. */
const MAX_BODY_BYTES = 8 * 1024 * 1024;

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
  "agent.taskResult": "task result",
  "agent.file.result": "file result",
  "agent.startupConfig.result": "startup config",
};

/** The head of a request. */
export interface RequestHead {
  readonly atMs: number;
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string>>;
}

/** A request with its whole body. */
export interface ReceivedRequest extends RequestHead {
  readonly body: string;
}

/** Reads the head of a request. */
export function readHead(request: IncomingMessage): RequestHead {
  const url = request.url ?? "/";
  const queryAt = url.indexOf("?");
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(request.headers)) {
    if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(", ") : value;
  }
  return {
    atMs: Date.now(),
    method: request.method ?? "GET",
    path: queryAt === -1 ? url : url.slice(0, queryAt),
    query: new URLSearchParams(queryAt === -1 ? "" : url.slice(queryAt + 1)),
    headers,
  };
}

/** Reads a request, or tells why it can't be read; a body of v2 may be compressed by gzip. */
export async function readRequest(
  incoming: IncomingMessage,
): Promise<ReceivedRequest | "too large" | "invalid gzip"> {
  const head = readHead(incoming);
  const bytes = await collect(incoming);
  if (bytes === undefined) return "too large";
  if (head.path !== RPC_PATH || head.headers["content-encoding"]?.toLowerCase() !== "gzip") {
    return { ...head, body: await bytes.text() };
  }
  try {
    const plain = await collect(bytes.stream().pipeThrough(new DecompressionStream("gzip")));
    return plain === undefined ? "too large" : { ...head, body: await plain.text() };
  } catch {
    return "invalid gzip";
  }
}

async function collect(source: AsyncIterable<Uint8Array>): Promise<Blob | undefined> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let length = 0;
  for await (const chunk of source) {
    const bytes = new Uint8Array(chunk);
    length += bytes.length;
    if (length > MAX_BODY_BYTES) return undefined;
    chunks.push(bytes);
  }
  return new Blob(chunks);
}

/** Names the call of a request; `undefined` for any other path. */
export function callName(
  request: { readonly method: string; readonly path: string; readonly body: string },
): CallName | undefined {
  if (request.path === RPC_PATH && request.method === "POST") return rpcCallName(request.body);
  const key = `${request.method} ${request.path}`;
  return Object.hasOwn(calls, key) ? calls[key] : undefined;
}

/** Names the call of a message of v2. */
export function rpcCallName(message: string): CallName | undefined {
  const method = stringField(message, "method");
  return method !== undefined && Object.hasOwn(methods, method) ? methods[method] : undefined;
}

/** Names the call of a message over a WebSocket of v1. */
export function socketCallName(message: string): CallName {
  return stringField(message, "type") === "ping_result" ? "ping result" : "report";
}

function stringField(message: string, name: string): string | undefined {
  try {
    const value: unknown = JSON.parse(message);
    if (typeof value !== "object" || value === null) return undefined;
    const field = new Map(Object.entries(value)).get(name);
    return typeof field === "string" ? field : undefined;
  } catch {
    return undefined;
  }
}
