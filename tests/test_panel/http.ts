/**
 * Requests to the tests' panel, read to their end, which of an agent's calls each one is, and answers.
 *
 * @module
 */

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { createGunzip } from "node:zlib";
import { jsonFields, parseJson } from "../../lib/parse/json.ts";

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
  const [, path = "/", query = ""] = /^([^?]*)\??(.*)$/s.exec(request.url ?? "/") ?? [];
  const headers = Object.entries(request.headers).map(([name, value]) => [name, `${value}`]);
  return {
    atMs: Date.now(),
    method: request.method ?? "GET",
    path,
    query: new URLSearchParams(query),
    headers: Object.fromEntries(headers),
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
  const isPacked = head.path === RPC_PATH &&
    head.headers["content-encoding"]?.toLowerCase() === "gzip";
  const bytes = isPacked
    ? await readBytes(incoming.pipe(createGunzip()), MAX_BODY_BYTES).catch(() => new Blob())
    // A request that is broken off is none.
    : await readBytes(incoming, MAX_BODY_BYTES);
  return bytes && { ...head, body: await bytes.text() };
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

/** An HTTP answer with its whole body. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** An answer in JSON, with the content type that the panel sends. */
export function jsonAnswer(status: number, value: unknown): Answer {
  return {
    status,
    headers: { "content-type": "application/json; charset=utf-8" },
    body: JSON.stringify(value),
  };
}

/** An answer in HTML. */
export function htmlAnswer(status: number, body: string): Answer {
  return { status, headers: { "content-type": "text/html; charset=utf-8" }, body };
}

/** An answer in plain text. */
export function textAnswer(status: number, body: string): Answer {
  return { status, headers: { "content-type": "text/plain" }, body };
}

/** Writes an answer and keeps the connection open for the next request. */
export function writeAnswer(response: ServerResponse, answer: Answer): void {
  const body = new TextEncoder().encode(answer.body);
  response.writeHead(answer.status, { ...answer.headers, "content-length": String(body.length) });
  response.end(body);
}

/** Answers an upgrade request on its raw connection, and ends the connection. */
export function writeRawAnswer(socket: Socket, { status, headers, body }: Answer): void {
  const bytes = new TextEncoder().encode(body);
  const all = { ...headers, "content-length": String(bytes.length), connection: "close" };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`HTTP/1.1 ${status} Answer\r\n${lines.join("")}\r\n`);
  socket.end(bytes);
}
