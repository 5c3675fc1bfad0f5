import { quoteStart } from "../parse/bounded_text.ts";
import { BoundedBytes } from "../io/bounded_bytes.ts";
import type { BufferedReader } from "./buffered_reader.ts";
import { ResponseError } from "./errors.ts";
import type { ResponseHead } from "./http_head.ts";

/** Longest line of a chunk size or a trailer. */
const LINE_LIMIT = 4096;
const TRAILERS_LIMIT = 32 * 1024;

/**
 * Decodes the chunked transfer coding incrementally.
 */
export class ChunkedDecoder {
  #line = "";
  /** Bytes of the current chunk that are still missing. */
  #rest = 0;
  #state: "size" | "data" | "after data" | "trailer" | "ended" = "size";
  #trailerBytes = 0;
  #excess = 0;

  /** Whether the body is complete. */
  get ended(): boolean {
    return this.#state === "ended";
  }

  /** Bytes of the last call that follow the end of the body. */
  get excess(): number {
    return this.#excess;
  }

  /**
   * Decodes the next bytes, and gives the parts of them that belong to the body, as views.
   *
   * @throws {SyntaxError} When the coding is malformed.
   */
  decode(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer>[] {
    const parts: Uint8Array<ArrayBuffer>[] = [];
    let at = 0;
    while (at < bytes.length && this.#state !== "ended") {
      if (this.#state === "data") {
        const part = bytes.subarray(at, at + this.#rest);
        parts.push(part);
        at += part.length;
        this.#rest -= part.length;
        if (this.#rest === 0) this.#state = "after data";
        continue;
      }
      const end = bytes.indexOf(10, at);
      const until = end === -1 ? bytes.length : end;
      if (this.#line.length + until - at > LINE_LIMIT) {
        throw new SyntaxError("Cannot parse a chunked body: a line is too long");
      }
      this.#line += String.fromCharCode(...bytes.subarray(at, until));
      at = until + 1;
      if (end !== -1) this.#takeLine();
    }
    this.#excess = Math.max(0, bytes.length - at);
    return parts;
  }

  #takeLine(): void {
    const line = this.#line.replace(/\r$/, "");
    this.#line = "";
    if (this.#state === "after data") {
      if (line !== "") throw new SyntaxError("Cannot parse a chunked body: a chunk does not end");
      this.#state = "size";
      return;
    }
    if (this.#state === "trailer") {
      this.#trailerBytes += line.length;
      if (this.#trailerBytes > TRAILERS_LIMIT) {
        throw new SyntaxError("Cannot parse a chunked body: its trailers are too long");
      }
      if (line === "") this.#state = "ended";
      return;
    }
    const size = /^([0-9A-Fa-f]{1,8})[ \t]*(?:;.*)?$/.exec(line)?.[1];
    if (size === undefined) {
      throw new SyntaxError(
        `Cannot parse a chunked body: ${quoteStart(line)} is no size`,
      );
    }
    this.#rest = parseInt(size, 16);
    this.#state = this.#rest === 0 ? "trailer" : "data";
  }
}

/** Longest body that is read into memory, unless a request allows more. */
const DEFAULT_LIMIT_BYTES = 256 * 1024;

/**
 * Reads the body that follows a head; `reusable`: whether the connection is for another request.
 *
 * @throws {ResponseError} When it is incomplete, too long or compressed.
 */
export async function readBody(
  reader: BufferedReader,
  { head, limitBytes = DEFAULT_LIMIT_BYTES }: {
    head: ResponseHead;
    limitBytes?: number | undefined;
  },
): Promise<{ text: string; reusable: boolean }> {
  checkEncoding(head);
  const length = lengthOf(head);
  if (length !== Infinity && length > limitBytes) throw tooLong(limitBytes);
  const whole = new BoundedBytes(limitBytes);
  try {
    if (!await readBodyInto(whole, { reader, head })) throw tooLong(limitBytes);
    const text = new TextDecoder().decode(whole.bytes);
    return { text, reusable: isReusable(head) && !reader.hasUnread };
  } finally {
    whole.clear();
  }
}

/** Receives a body piece by piece. */
export interface BodySink {
  /** Receives a piece, valid until this settles; `false` when no more is wanted. */
  add(bytes: Uint8Array<ArrayBuffer>): boolean | Promise<boolean>;
}

/**
 * Reads the body that follows a head into `sink`, while it wants more; `false` when it did not take
 * all of it.
 *
 * @throws {ResponseError} When the body is incomplete or malformed; `sink` has its start then.
 */
export async function readBodyInto(
  sink: BodySink,
  { reader, head }: { reader: BufferedReader; head: ResponseHead },
): Promise<boolean> {
  if (head.status === 204 || head.status === 304) return true;
  const coding = head.headers.get("transfer-encoding")?.toLowerCase();
  if (coding === "chunked") return await readChunks(sink, reader);
  if (coding !== undefined) throw malformed("it has an unknown transfer coding");
  const length = lengthOf(head);
  for (let rest = length; rest > 0;) {
    const bytes = await reader.read();
    // Without a length the body ends with the connection.
    if (bytes === undefined && length === Infinity) break;
    if (bytes === undefined) throw cutOff();
    const excess = Math.max(0, bytes.length - rest);
    if (!await sink.add(excess === 0 ? bytes : bytes.subarray(0, rest))) return false;
    reader.unread(excess);
    rest -= bytes.length;
  }
  return true;
}

async function readChunks(sink: BodySink, reader: BufferedReader): Promise<boolean> {
  const body = new ChunkedDecoder();
  while (!body.ended) {
    const bytes = await reader.read();
    if (bytes === undefined) throw cutOff();
    for (const part of partsOf(body, bytes)) {
      if (!await sink.add(part)) return false;
    }
  }
  reader.unread(body.excess);
  return true;
}

function partsOf(body: ChunkedDecoder, bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer>[] {
  try {
    return body.decode(bytes);
  } catch (cause) {
    throw new ResponseError("the answer is malformed", { kind: "malformed", cause });
  }
}

/** The length of the body in bytes; infinite when the head does not tell. */
function lengthOf({ headers }: ResponseHead): number {
  const field = headers.get("content-length");
  if (field === undefined || headers.has("transfer-encoding")) return Infinity;
  if (!/^\d+$/.test(field)) throw malformed("its Content-Length is not a number");
  return Number(field);
}

/** Whether the connection stays open after the body. */
function isReusable({ headers, status, version }: ResponseHead): boolean {
  const connection = headers.get("connection")?.toLowerCase().split(/[\s,]+/) ?? [];
  const hasLength = headers.has("content-length");
  const hasCoding = headers.has("transfer-encoding");
  // With both, an intermediary may see another end (request smuggling).
  const isFramed = hasLength !== hasCoding || status === 204 || status === 304;
  const keeps = version === "1.1" || connection.includes("keep-alive");
  return keeps && isFramed && !connection.includes("close");
}

/**
 * Refuses a compressed body: every request asks for none, and a small one may become any size.
 *
 * @throws {ResponseError} When a head announces one.
 */
export function checkEncoding({ headers }: ResponseHead): void {
  const encoding = headers.get("content-encoding")?.toLowerCase() ?? "identity";
  if (encoding === "identity") return;
  throw malformed(`it has the encoding ${quoteStart(encoding)}, not identity`);
}

function tooLong(limitBytes: number): ResponseError {
  return new ResponseError(`the answer is longer than ${limitBytes} bytes`, { kind: "too long" });
}

function cutOff(): ResponseError {
  return new ResponseError("the connection was closed in the middle of the answer", {
    kind: "closed",
  });
}

function malformed(why: string): ResponseError {
  return new ResponseError(`the answer is malformed: ${why}`, { kind: "malformed" });
}

/** An HTTP/1.1 request. */
export interface RequestMessage {
  readonly method: "GET" | "POST";
  readonly url: URL;
  readonly headers: readonly (readonly [string, string])[];
  readonly body?: string | Uint8Array<ArrayBuffer>;
  /** Set when an HTTP proxy forwards the request: the request line must hold the whole URL. */
  readonly forward?: { readonly authorization?: string } | undefined;
}

/**
 * Encodes head and body, to be written at once.
 *
 * @throws {TypeError} When a header name or value is invalid.
 */
export function encodeRequest(request: RequestMessage): Uint8Array<ArrayBuffer> {
  const encoder = new TextEncoder();
  const body = typeof request.body === "string" ? encoder.encode(request.body) : request.body;
  const head = encoder.encode(encodeRequestHead(request, body?.length));
  if (body === undefined) return head;
  const whole = new Uint8Array(head.length + body.length);
  whole.set(head);
  whole.set(body, head.length);
  return whole;
}

/**
 * Encodes the head alone, for a body that is written later.
 *
 * @throws {TypeError} When a header name or value is invalid.
 */
export function encodeRequestHead(request: RequestMessage, bodyLength: number | undefined): string {
  const { method, url, forward } = request;
  const path = url.pathname + url.search;
  const target = forward === undefined ? path : `http://${url.host}${path}`;
  const fields: (readonly [string, string])[] = [
    ["host", url.host],
    ["accept-encoding", "identity"],
    ...request.headers,
  ];
  if (bodyLength !== undefined || method === "POST") {
    fields.push(["content-length", String(bodyLength ?? 0)]);
  }
  if (forward?.authorization !== undefined) {
    fields.push(["proxy-authorization", forward.authorization]);
  }
  let text = `${method} ${target} HTTP/1.1\r\n`;
  for (const [name, value] of fields) {
    if (!/^[!#$%&'*+.^_`|~\w-]+$/.test(name) || /[\r\n\0]/.test(value)) {
      throw new TypeError(`Cannot send header ${quoteStart(name)}`);
    }
    text += `${name}: ${value}\r\n`;
  }
  return text + "\r\n";
}
