import { AnswerError } from "../errors.ts";
import { ChunkedBody } from "../parse/chunked_body.ts";
import type { ResponseHead } from "../parse/http_head.ts";
import type { LineReader } from "./line_reader.ts";

/** No answer of a panel is as long; what is longer is refused. */
const LIMIT_BYTES = 1024 * 1024;

/** A body that was read to its end, and whether the line can be used again. */
export interface AnswerBody {
  readonly text: string;
  readonly reusable: boolean;
}

/**
 * Reads the body that belongs to a head.
 *
 * @throws {AnswerError} When it is cut off, too long or in an encoding that nobody asked for.
 */
export async function readBody(reader: LineReader, head: ResponseHead): Promise<AnswerBody> {
  const { headers, status, version } = head;
  const connection = headers.get("connection")?.toLowerCase() ?? "";
  const keeps = version === "1.1" ? !connection.includes("close") : connection === "keep-alive";
  if (status === 204 || status === 304) return { text: "", reusable: keeps };
  const length = headers.get("content-length");
  const chunked = headers.get("transfer-encoding")?.toLowerCase();
  const parts = chunked !== undefined
    ? await readChunks(reader, chunked)
    : length !== undefined
    ? await readLength(reader, length)
    : await readToEnd(reader);
  const text = await decode(parts, headers.get("content-encoding")?.toLowerCase());
  const framed = chunked !== undefined || length !== undefined;
  return { text, reusable: keeps && framed && !reader.hasKept };
}

async function readLength(reader: LineReader, field: string): Promise<Uint8Array<ArrayBuffer>[]> {
  const length = /^\d+$/.test(field) ? Number(field) : NaN;
  if (Number.isNaN(length)) throw malformed("its length is no number");
  if (length > LIMIT_BYTES) throw tooLong();
  const whole = new Uint8Array(length);
  for (let filled = 0; filled < length;) {
    const bytes = await reader.read();
    if (bytes === undefined) throw cutOff();
    const part = bytes.subarray(0, length - filled);
    whole.set(part, filled);
    filled += part.length;
    if (part.length < bytes.length) reader.keep(bytes.slice(part.length));
  }
  return [whole];
}

async function readChunks(reader: LineReader, coding: string): Promise<Uint8Array<ArrayBuffer>[]> {
  if (coding !== "chunked") throw malformed("it has an unknown transfer coding");
  const body = new ChunkedBody();
  const parts = new BoundedParts();
  while (!body.ended) {
    const bytes = await reader.read();
    if (bytes === undefined) throw cutOff();
    try {
      for (const part of body.take(bytes)) parts.add(part);
    } catch (cause) {
      if (cause instanceof AnswerError) throw cause;
      throw new AnswerError("the answer is malformed", { kind: "malformed", cause });
    }
  }
  return parts.all;
}

async function readToEnd(reader: LineReader): Promise<Uint8Array<ArrayBuffer>[]> {
  const parts = new BoundedParts();
  for (let bytes = await reader.read(); bytes !== undefined; bytes = await reader.read()) {
    parts.add(bytes);
  }
  return parts.all;
}

/** Copies of pieces, no more than an answer may have. */
class BoundedParts {
  readonly all: Uint8Array<ArrayBuffer>[] = [];
  #length = 0;

  add(part: Uint8Array<ArrayBuffer>): void {
    this.#length += part.length;
    if (this.#length > LIMIT_BYTES) throw tooLong();
    this.all.push(part.slice());
  }
}

async function decode(
  parts: readonly Uint8Array<ArrayBuffer>[],
  encoding = "identity",
): Promise<string> {
  if (encoding === "identity") return inText(parts);
  if (encoding !== "gzip" && encoding !== "deflate") {
    throw malformed("it has an encoding that nobody asked for");
  }
  const unpacked = new BoundedParts();
  const stream = ReadableStream.from(parts).pipeThrough(new DecompressionStream(encoding));
  try {
    for await (const part of stream) unpacked.add(part);
  } catch (cause) {
    if (cause instanceof AnswerError) throw cause;
    throw new AnswerError("the answer can't be unpacked", { kind: "malformed", cause });
  }
  return inText(unpacked.all);
}

function inText(parts: readonly Uint8Array<ArrayBuffer>[]): string {
  const decoder = new TextDecoder();
  const text = parts.map((part) => decoder.decode(part, { stream: true })).join("");
  return text + decoder.decode();
}

function tooLong(): AnswerError {
  return new AnswerError(`the answer is longer than ${LIMIT_BYTES} bytes`, { kind: "too long" });
}

function cutOff(): AnswerError {
  return new AnswerError("the connection was closed in mid-answer", { kind: "closed" });
}

function malformed(why: string): AnswerError {
  return new AnswerError(`the answer is malformed: ${why}`, { kind: "malformed" });
}
