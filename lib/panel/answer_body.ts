import { AnswerError } from "../net/errors.ts";
import { BoundedBytes } from "../parse/bounded_bytes.ts";
import { ChunkedBody } from "../parse/chunked_body.ts";
import type { ResponseHead } from "../parse/http_head.ts";
import type { LineReader } from "./line_reader.ts";
import { unpacked } from "./unpacked.ts";

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
  const length = lengthOf(head);
  // Nothing has to be read for that.
  if (length !== Infinity && length > LIMIT_BYTES) throw tooLong();
  const whole = new BoundedBytes(LIMIT_BYTES);
  try {
    if (!await readBodyInto(whole, { reader, head })) throw tooLong();
    const text = await decode(whole.bytes, head.headers.get("content-encoding")?.toLowerCase());
    return { text, reusable: keepsLine(head) && !reader.hasUnread };
  } finally {
    whole.clear();
  }
}

/**
 * Reads the body that belongs to a head into `whole`, until that is full; whether all of it fitted.
 *
 * @throws {AnswerError} When it is cut off or malformed; what has come is in `whole` then.
 */
export async function readBodyInto(
  whole: BoundedBytes,
  { reader, head }: { reader: LineReader; head: ResponseHead },
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
    const surplus = Math.max(0, bytes.length - rest);
    if (!whole.add(surplus === 0 ? bytes : bytes.subarray(0, rest))) return false;
    reader.unread(surplus);
    rest -= bytes.length;
  }
  return true;
}

async function readChunks(whole: BoundedBytes, reader: LineReader): Promise<boolean> {
  const body = new ChunkedBody();
  while (!body.ended) {
    const bytes = await reader.read();
    if (bytes === undefined) throw cutOff();
    for (const part of partsOf(body, bytes)) {
      if (!whole.add(part)) return false;
    }
  }
  reader.unread(body.surplus);
  return true;
}

function partsOf(body: ChunkedBody, bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer>[] {
  try {
    return body.take(bytes);
  } catch (cause) {
    throw new AnswerError("the answer is malformed", { kind: "malformed", cause });
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

async function decode(bytes: Uint8Array<ArrayBuffer>, encoding = "identity"): Promise<string> {
  if (encoding === "identity" || bytes.length === 0) return new TextDecoder().decode(bytes);
  if (encoding !== "gzip" && encoding !== "deflate") {
    throw malformed("it has an encoding that nobody asked for");
  }
  let plain: BoundedBytes | undefined;
  try {
    plain = await unpacked(bytes, { encoding, limit: LIMIT_BYTES });
  } catch (cause) {
    throw new AnswerError("the answer can't be unpacked", { kind: "malformed", cause });
  }
  if (plain === undefined) throw tooLong();
  const text = new TextDecoder().decode(plain.bytes);
  plain.clear();
  return text;
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
