/**
 * Requests to the stand-in panel, read to their end, and which of an agent's calls each one is.
 *
 * @module
 */

import type { IncomingMessage } from "node:http";
import { jsonFields, parseJson } from "../parse/json.ts";

/** The path of messages, for POST and for WebSockets. */
export const RPC_PATH = "/api/clients/v2/rpc";

/** Far more than any message, compressed or not. */
const MAX_BODY_BYTES = 8 * 1024 * 1024;

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

/** Whether a request comes from a page of another host. */
export function isForeignOrigin({ headers: { origin, host } }: RequestHead): boolean {
  return origin !== undefined && origin !== `http://${host}`;
}

/**
 * Reads the body of a request; `undefined` when it is too large. A message may be compressed by gzip;
 * one that can't be decompressed is read as an empty one.
 */
export async function readRequest(
  incoming: IncomingMessage,
  head: RequestHead,
): Promise<ReceivedRequest | undefined> {
  const bytes = await readBytes(incoming, MAX_BODY_BYTES);
  if (bytes === undefined) return undefined;
  if (head.path !== RPC_PATH || head.headers["content-encoding"]?.toLowerCase() !== "gzip") {
    return { ...head, body: await bytes.text() };
  }
  try {
    const plain = bytes.stream().pipeThrough(new DecompressionStream("gzip"));
    const body = await readBytes(plain, MAX_BODY_BYTES);
    return body === undefined ? undefined : { ...head, body: await body.text() };
  } catch {
    return { ...head, body: "" };
  }
}

/** Reads all bytes; `undefined` when there are more than that. */
export async function readBytes(
  source: AsyncIterable<Uint8Array>,
  maxBytes: number,
): Promise<Blob | undefined> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let length = 0;
  for await (const chunk of source) {
    const bytes = new Uint8Array(chunk);
    length += bytes.length;
    if (length > maxBytes) return undefined;
    chunks.push(bytes);
  }
  return new Blob(chunks);
}

/**
 * Names the call of a request: the method of a message, such as `agent.report`, and otherwise the
 * method of HTTP and the path, such as `GET /api/version`.
 */
export function callName(request: ReceivedRequest): string {
  return request.path === RPC_PATH && request.method === "POST"
    ? messageName(request.body)
    : `${request.method} ${request.path}`;
}

/** Names the call of a message: its method; empty when it has none. */
export function messageName(message: string): string {
  const { method } = jsonFields(parseJson(message));
  return typeof method === "string" ? method : "";
}
