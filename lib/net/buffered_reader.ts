import { delay } from "@std/async/delay";
import { BoundedBytes } from "../io/bounded_bytes.ts";
import { quoteStart } from "../parse/bounded_text.ts";
import type { ByteStream } from "./byte_stream.ts";
import { ResponseError } from "./errors.ts";
import {
  checkEncoding,
  isReusable,
  malformed,
  parseResponseHead,
  type ResponseHead,
} from "./http_head.ts";
import { ChunkLimit, ReadLimit } from "./read_limits.ts";

const BUFFER_BYTES = 8 * 1024;
/** For all heads of a response: a server could make each interim one long. */
const HEAD_LIMIT = 32 * 1024;
/** Each line costs more than its bytes. */
const HEAD_LINES_LIMIT = 256;
/** Interim responses (1xx) that may precede the final one. */
const INTERIM_LIMIT = 8;
/** Longest body that is read into memory, unless a request allows more. */
const BODY_LIMIT = 256 * 1024;
/** Longest line with the size of a chunk. */
const SIZE_LINE_LIMIT = 4096;
const LF = 10;

/** Receives a body piece by piece. */
export interface BodySink {
  /** Receives a piece, valid until this returns; `false` when no more is wanted. */
  add(bytes: Uint8Array<ArrayBuffer>): boolean;
}

/** Reads a stream through one buffer that is reused: bytes, lines, and HTTP's heads and bodies. */
export class BufferedReader {
  readonly #stream: Pick<ByteStream, "read">;
  readonly #limit: ReadLimit;
  readonly #text = new TextDecoder("utf-8", { ignoreBOM: true });
  #buffer: Uint8Array<ArrayBuffer>;
  /** Bytes from here to `#end` were read from the stream and not yet consumed. */
  #start = 0;
  #end = 0;
  /** Whether bytes were received since this was last set to false. */
  hasReceived = false;

  constructor(
    stream: Pick<ByteStream, "read">,
    { bufferBytes = BUFFER_BYTES, limit = new ReadLimit() }: {
      bufferBytes?: number;
      limit?: ReadLimit;
    } = {},
  ) {
    this.#limit = limit;
    this.#stream = stream;
    this.#buffer = new Uint8Array(bufferBytes);
  }

  /** Whether received bytes are still unread. */
  get hasUnread(): boolean {
    return this.#start < this.#end;
  }

  /** Reads the next bytes, a view until the next call; `undefined` at the end. */
  async read(maxBytes = Infinity): Promise<Uint8Array<ArrayBuffer> | undefined> {
    if (this.#start === this.#end && !await this.#fill()) return undefined;
    return this.#take(maxBytes);
  }

  /**
   * Reads lines up to an empty one. Each may end in LF alone.
   *
   * @param ended Makes the error for a stream that ends before, behind these lines.
   * @throws {ResponseError} When they are longer than `maxBytes`, or more than 256.
   */
  async readLines(
    maxBytes = HEAD_LIMIT,
    ended: (lines: readonly string[]) => Error = noAnswer,
  ): Promise<string[]> {
    const lines: string[] = [];
    let bytes = 0;
    for (let searched = 0;;) {
      const from = this.#start;
      const line = this.#takeLine(searched);
      if (line === "") return lines;
      if (line !== undefined) lines.push(line);
      searched = line === undefined ? this.#end - from : 0;
      bytes += this.#start - from;
      if (bytes + searched > maxBytes || lines.length > HEAD_LINES_LIMIT) {
        throw new ResponseError("the head of the answer is too long", { kind: "too long" });
      }
      if (line === undefined && !await this.#fill()) throw ended(lines);
    }
  }

  /**
   * Reads the head of the final response; interim responses are skipped.
   *
   * @throws {ResponseError} When there is none, or it is malformed or too long.
   */
  async readHead(): Promise<ResponseHead> {
    let leftBytes = HEAD_LIMIT;
    for (let count = 0; count < INTERIM_LIMIT; count++) {
      const lines = await this.readLines(leftBytes, noHead);
      let head: ResponseHead;
      try {
        head = parseResponseHead(lines);
      } catch (cause) {
        throw new ResponseError("the answer is not HTTP", { kind: "malformed", cause });
      }
      if (head.status >= 200 || head.status === 101) return head;
      leftBytes -= new TextEncoder().encode(lines.join("\r\n")).length;
    }
    throw new ResponseError("there are too many interim responses", { kind: "malformed" });
  }

  /**
   * Reads the body that follows a head, in pieces that are valid until the next one.
   *
   * @throws {ResponseError} When it is incomplete or malformed.
   */
  async *readBody(
    { status, headers }: ResponseHead,
  ): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
    if (status === 204 || status === 304) return;
    const coding = headers.get("transfer-encoding")?.toLowerCase();
    if (coding === "chunked") return yield* this.#readChunks();
    if (coding !== undefined) throw malformed("it has an unknown transfer coding");
    const length = headers.get("content-length");
    if (!/^\d+$/.test(length ?? "0")) throw malformed("its Content-Length is not a number");
    // Without a length the body ends with the connection.
    for (let rest = Number(length ?? Infinity); rest > 0;) {
      const bytes = await this.read(rest);
      if (bytes === undefined && rest === Infinity) return;
      if (bytes === undefined) throw cutOff();
      rest -= bytes.length;
      yield bytes;
    }
  }

  /**
   * Reads the body that follows a head as text; `reusable`: whether the connection is for another
   * request.
   *
   * @throws {ResponseError} When it is incomplete, malformed, too long or compressed.
   */
  async readText(
    head: ResponseHead,
    limitBytes = BODY_LIMIT,
  ): Promise<{ text: string; reusable: boolean }> {
    checkEncoding(head);
    const tooLong = () =>
      new ResponseError(`the answer is longer than ${limitBytes} bytes`, { kind: "too long" });
    if (Number(head.headers.get("content-length") ?? 0) > limitBytes) throw tooLong();
    const whole = new BoundedBytes(limitBytes);
    try {
      for await (const bytes of this.readBody(head)) if (!whole.add(bytes)) throw tooLong();
      const text = new TextDecoder().decode(whole.bytes);
      return { text, reusable: isReusable(head) && !this.hasUnread };
    } finally {
      whole.clear();
    }
  }

  /**
   * Reads the body that follows a head into `sink`, while that wants more; `reusable` as of
   * {@linkcode readText}.
   *
   * @throws {ResponseError} When it is incomplete, malformed or compressed; `sink` has its start then.
   */
  async readInto(
    sink: BodySink,
    head: ResponseHead,
  ): Promise<{ reusable: boolean }> {
    checkEncoding(head);
    for await (const bytes of this.readBody(head)) {
      if (!sink.add(bytes)) return { reusable: false };
    }
    return { reusable: isReusable(head) && !this.hasUnread };
  }

  /** Decodes the chunked coding: chunks that have arrived are joined in the buffer, to one piece. */
  async *#readChunks(): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
    const limit = new ChunkLimit();
    let isFirst = true;
    let size: number | undefined;
    for (let rest = 0; size !== 0;) {
      const from = this.#start;
      let to = from;
      for (;;) {
        const part = this.#take(rest);
        this.#buffer.set(part, to);
        to += part.length;
        rest -= part.length;
        const line = rest > 0 ? undefined : this.#takeSizeLine(isFirst);
        size = line === undefined ? undefined : parseChunkSize(line);
        if (line === undefined || !size) break;
        limit.take(size, line);
        isFirst = false;
        rest = size;
      }
      if (to > from) yield this.#buffer.subarray(from, to);
      if (size === undefined && !await this.#fill()) throw cutOff();
    }
    // The trailers.
    await this.readLines(HEAD_LIMIT, cutOff);
  }

  /** Takes the line with the size of the next chunk; `undefined` while it is incomplete. */
  #takeSizeLine(isFirst: boolean): string | undefined {
    const from = this.#start;
    const endOfLast = isFirst ? "" : this.#takeLine();
    if (endOfLast) throw malformed("a chunk does not end");
    const line = endOfLast === undefined ? undefined : this.#takeLine();
    if (line !== undefined) return line;
    this.#start = from;
    if (this.#end - from > SIZE_LINE_LIMIT) throw malformed("the size of a chunk is too long");
    return undefined;
  }

  /** Takes up to `maxBytes` of the bytes that were received: a view. */
  #take(maxBytes: number): Uint8Array<ArrayBuffer> {
    const from = this.#start;
    this.#start = Math.min(this.#end, from + maxBytes);
    return this.#buffer.subarray(from, this.#start);
  }

  /** Takes a line without its end; `undefined` while that is not received. */
  #takeLine(searched = 0): string | undefined {
    const unread = this.#buffer.subarray(this.#start, this.#end);
    const length = unread.indexOf(LF, searched);
    if (length === -1) return undefined;
    this.#start += length + 1;
    const line = this.#text.decode(unread.subarray(0, length));
    return line.endsWith("\r") ? line.slice(0, -1) : line;
  }

  /** Reads more bytes from the stream; `false` at its end. */
  async #fill(): Promise<boolean> {
    if (this.#start === this.#end) this.#start = this.#end = 0;
    if (this.#end === this.#buffer.length) this.#makeRoom();
    const free = this.#end === 0 ? this.#buffer : this.#buffer.subarray(this.#end);
    const count = await this.#stream.read(free);
    if (count === null) return false;
    this.hasReceived = true;
    this.#end += count;
    const pauseMs = this.#limit.take(count);
    if (pauseMs > 0) await delay(pauseMs);
    return true;
  }

  #makeRoom(): void {
    const unread = this.#buffer.subarray(this.#start, this.#end);
    if (this.#start === 0) this.#buffer = new Uint8Array(2 * this.#buffer.length);
    this.#buffer.set(unread);
    this.#start = 0;
    this.#end = unread.length;
  }
}

/** @throws {ResponseError} When a line is not the size of a chunk. */
function parseChunkSize(line: string): number {
  const size = /^([0-9A-Fa-f]{1,8})[ \t]*(?:;.*)?$/.exec(line)?.[1];
  if (size === undefined) throw malformed(`${quoteStart(line)} is no size of a chunk`);
  return parseInt(size, 16);
}

function noAnswer(): ResponseError {
  return new ResponseError("the connection was closed without an answer", { kind: "closed" });
}

/** Of an answer whose head is not whole, as that of a server that speaks another protocol. */
function noHead([first]: readonly string[]): ResponseError {
  if (first !== undefined && !first.startsWith("HTTP/")) {
    const text = `the answer is not HTTP: it begins with ${quoteStart(first)}`;
    return new ResponseError(text, { kind: "malformed" });
  }
  return noAnswer();
}

function cutOff(): ResponseError {
  return new ResponseError("the connection was closed in the middle of the answer", {
    kind: "closed",
  });
}
