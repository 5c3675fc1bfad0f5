import type { ByteStream } from "./byte_stream.ts";
import { ResponseError } from "./errors.ts";
import { findHeadEnd, parseResponseHead, type ResponseHead } from "./http_head.ts";

const BUFFER_BYTES = 8 * 1024;
const HEAD_LIMIT = 32 * 1024;
/** Interim responses (1xx) that may precede the final one. */
const INTERIM_LIMIT = 8;

/** Reads a stream through one buffer that is reused. */
export class BufferedReader {
  readonly #stream: ByteStream;
  #buffer: Uint8Array<ArrayBuffer>;
  /** Bytes from here to `#end` were read from the stream and not yet consumed. */
  #start = 0;
  #end = 0;
  /** Whether bytes were received since this was last set to false. */
  hasReceived = false;

  constructor(stream: ByteStream, { bufferBytes = BUFFER_BYTES }: { bufferBytes?: number } = {}) {
    this.#stream = stream;
    this.#buffer = new Uint8Array(bufferBytes);
  }

  /** Reads the next bytes, a view until the next call; `undefined` at the end. */
  async read(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    if (this.#start === this.#end && !await this.#fill()) return undefined;
    const bytes = this.#buffer.subarray(this.#start, this.#end);
    this.#start = this.#end;
    return bytes;
  }

  /** Whether received bytes are still unread. */
  get hasUnread(): boolean {
    return this.#start < this.#end;
  }

  /** Puts back the last `count` bytes of the last read. */
  unread(count: number): void {
    this.#start -= count;
  }

  /**
   * Reads the head of the final response; interim responses are skipped.
   *
   * @throws {ResponseError} When there is none, or it is malformed or too long.
   */
  async readHead(): Promise<ResponseHead> {
    for (let count = 0; count < INTERIM_LIMIT; count++) {
      const text = await this.#readHeadText();
      let head: ResponseHead;
      try {
        head = parseResponseHead(text);
      } catch (cause) {
        throw new ResponseError("the answer is not HTTP", { kind: "malformed", cause });
      }
      if (head.status >= 200 || head.status === 101) return head;
    }
    throw new ResponseError("there are too many interim responses", { kind: "malformed" });
  }

  async #readHeadText(): Promise<string> {
    for (let searched = 0;;) {
      const unread = this.#buffer.subarray(this.#start, this.#end);
      const length = findHeadEnd(unread, searched);
      if (length !== -1) {
        this.#start += length;
        return new TextDecoder("utf-8", { ignoreBOM: true }).decode(unread.subarray(0, length));
      }
      if (unread.length >= HEAD_LIMIT) {
        throw new ResponseError("the head of the answer is too long", { kind: "too long" });
      }
      searched = Math.max(0, unread.length - 2);
      if (!await this.#fill()) {
        throw new ResponseError("the connection was closed without an answer", { kind: "closed" });
      }
    }
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
