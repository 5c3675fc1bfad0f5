import { BoundedBytes } from "./bounded_bytes.ts";
import type { BufferedReader } from "./buffered_reader.ts";
import { ResponseError } from "./errors.ts";
import type { ResponseHead } from "./http_head.ts";

/** A line of a chunk's size, or of a trailer, is never as long. */
const LINE_LIMIT = 4096;
const TRAILERS_LIMIT = 32 * 1024;

/**
 * Takes the chunked transfer coding off a body, piece by piece.
 *
 * Own code, as all of HTTP here; `http_client.ts` says why.
 */
export class ChunkedDecoder {
  #line = "";
  /** Bytes of the present chunk that are still to come. */
  #rest = 0;
  #state: "size" | "data" | "after data" | "trailer" | "ended" = "size";
  #trailerBytes = 0;
  #excess = 0;

  /** Whether the whole body has come. */
  get ended(): boolean {
    return this.#state === "ended";
  }

  /** How many of the bytes taken last came after the end; they are left alone. */
  get excess(): number {
    return this.#excess;
  }

  /**
   * Takes bytes as they come, and gives the parts of them that are the body's; they are views.
   *
   * @throws {SyntaxError} When it is no such coding.
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
        throw new SyntaxError("Cannot parse a chunked body: a line has no end");
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
      if (line !== "") throw new SyntaxError("Cannot parse a chunked body: a chunk has no end");
      this.#state = "size";
      return;
    }
    if (this.#state === "trailer") {
      this.#trailerBytes += line.length;
      if (this.#trailerBytes > TRAILERS_LIMIT) {
        throw new SyntaxError("Cannot parse a chunked body: its trailers have no end");
      }
      if (line === "") this.#state = "ended";
      return;
    }
    const size = /^([0-9A-Fa-f]{1,8})[ \t]*(?:;.*)?$/.exec(line)?.[1];
    if (size === undefined) {
      throw new SyntaxError(
        `Cannot parse a chunked body: ${JSON.stringify(line.slice(0, 40))} is no size`,
      );
    }
    this.#rest = parseInt(size, 16);
    this.#state = this.#rest === 0 ? "trailer" : "data";
  }
}

/** No answer of a panel is as long; what is longer is refused. */
const LIMIT_BYTES = 1024 * 1024;

/** A body that was read to its end, and whether the line can be used again. */
export interface ResponseBody {
  readonly text: string;
  readonly reusable: boolean;
}

/**
 * Reads the body that belongs to a head.
 *
 * @throws {ResponseError} When it is cut off, too long or in an encoding that nobody asked for.
 */
export async function readBody(reader: BufferedReader, head: ResponseHead): Promise<ResponseBody> {
  checkEncoding(head);
  const length = lengthOf(head);
  // Nothing has to be read for that.
  if (length !== Infinity && length > LIMIT_BYTES) throw tooLong();
  const whole = new BoundedBytes(LIMIT_BYTES);
  try {
    if (!await readBodyInto(whole, { reader, head })) throw tooLong();
    const text = new TextDecoder().decode(whole.bytes);
    return { text, reusable: keepsLine(head) && !reader.hasUnread };
  } finally {
    whole.clear();
  }
}

/** Takes a body piece by piece. */
export interface BodySink {
  /** Takes a piece, which is good until this settles; whether it wants more. */
  add(bytes: Uint8Array<ArrayBuffer>): boolean | Promise<boolean>;
}

/**
 * Reads the body that belongs to a head into `whole`, until that is full; whether all of it fitted.
 *
 * @throws {ResponseError} When it is cut off or malformed; what has come is in `whole` then.
 */
export async function readBodyInto(
  whole: BodySink,
  { reader, head }: { reader: BufferedReader; head: ResponseHead },
): Promise<boolean> {
  if (head.status === 204 || head.status === 304) return true;
  const coding = head.headers.get("transfer-encoding")?.toLowerCase();
  if (coding === "chunked") return await readChunks(whole, reader);
  if (coding !== undefined) throw malformed("it has an unknown transfer coding");
  const length = lengthOf(head);
  for (let rest = length; rest > 0;) {
    const bytes = await reader.read();
    // Without a length the end of the line is that of the body.
    if (bytes === undefined && length === Infinity) break;
    if (bytes === undefined) throw cutOff();
    const excess = Math.max(0, bytes.length - rest);
    if (!await whole.add(excess === 0 ? bytes : bytes.subarray(0, rest))) return false;
    reader.unread(excess);
    rest -= bytes.length;
  }
  return true;
}

async function readChunks(whole: BodySink, reader: BufferedReader): Promise<boolean> {
  const body = new ChunkedDecoder();
  while (!body.ended) {
    const bytes = await reader.read();
    if (bytes === undefined) throw cutOff();
    for (const part of partsOf(body, bytes)) {
      if (!await whole.add(part)) return false;
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

/** How many bytes follow a head; infinite when it does not say. */
function lengthOf({ headers }: ResponseHead): number {
  const field = headers.get("content-length");
  if (field === undefined || headers.has("transfer-encoding")) return Infinity;
  if (!/^\d+$/.test(field)) throw malformed("its length is no number");
  return Number(field);
}

/** Whether the line goes on behind the body. */
function keepsLine({ headers, status, version }: ResponseHead): boolean {
  const connection = headers.get("connection")?.toLowerCase().split(/[\s,]+/) ?? [];
  const hasLength = headers.has("content-length");
  const hasCoding = headers.has("transfer-encoding");
  // With both, somebody on the way may see the end elsewhere.
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
  throw malformed(`it has the encoding ${JSON.stringify(encoding.slice(0, 40))}, not identity`);
}

function tooLong(): ResponseError {
  return new ResponseError(`the answer is longer than ${LIMIT_BYTES} bytes`, { kind: "too long" });
}

function cutOff(): ResponseError {
  return new ResponseError("the connection was closed in mid-answer", { kind: "closed" });
}

function malformed(why: string): ResponseError {
  return new ResponseError(`the answer is malformed: ${why}`, { kind: "malformed" });
}

/** A request over HTTP/1.1. */
export interface RequestMessage {
  readonly method: "GET" | "POST";
  readonly url: URL;
  readonly headers: readonly (readonly [string, string])[];
  readonly body?: string | Uint8Array<ArrayBuffer>;
  /** Set when an HTTP proxy reads the request: it wants the whole URL. */
  readonly forward?: { readonly authorization?: string } | undefined;
}

/**
 * Head and body in one piece, to be written at once.
 *
 * @throws {TypeError} When a header would break out of its line.
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
 * The head alone, for a body that is written after it.
 *
 * @throws {TypeError} When a header would break out of its line.
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
      throw new TypeError(`Cannot send header ${JSON.stringify(name.slice(0, 40))}`);
    }
    text += `${name}: ${value}\r\n`;
  }
  return text + "\r\n";
}
