import { AnswerError } from "../errors.ts";
import type { Line } from "../line/line.ts";
import { parseResponseHead, type ResponseHead } from "../parse/http_head.ts";

const BUFFER_BYTES = 16 * 1024;
const HEAD_LIMIT = 32 * 1024;
/** Answers of 1xx come before the one that counts. */
const INTERIM_LIMIT = 8;

/** Writes all of it; `line.write` may take a part only. */
export async function writeAll(line: Line, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
  for (let from = 0; from < bytes.length;) from += await line.write(bytes.subarray(from));
}

/** Reads a line through one buffer, with bytes kept for whoever comes next. */
export class LineReader {
  readonly #line: Line;
  readonly #buffer = new Uint8Array(BUFFER_BYTES);
  #kept: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  /** Whether anything has come since this was last set to false. */
  heard = false;

  constructor(line: Line) {
    this.#line = line;
  }

  /** The next bytes, a view until the next call; `undefined` at the end. */
  async read(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    if (this.#kept.length > 0) {
      const kept = this.#kept;
      this.#kept = new Uint8Array(0);
      return kept;
    }
    const count = await this.#line.read(this.#buffer);
    if (count === null) return undefined;
    this.heard = true;
    return this.#buffer.subarray(0, count);
  }

  /** Whether bytes have come that nobody has asked for. */
  get hasKept(): boolean {
    return this.#kept.length > 0;
  }

  /** Gives bytes back, to be read again; they must be the last that were read. */
  keep(bytes: Uint8Array<ArrayBuffer>): void {
    this.#kept = bytes;
  }

  /**
   * The head of the answer that counts; what follows it is kept.
   *
   * @throws {AnswerError} When there is none, or no sane one.
   */
  async readHead(): Promise<ResponseHead> {
    for (let count = 0; count < INTERIM_LIMIT; count++) {
      const text = await this.#readHeadText();
      let head: ResponseHead;
      try {
        head = parseResponseHead(text);
      } catch (cause) {
        throw new AnswerError("the answer is not HTTP", { kind: "malformed", cause });
      }
      if (head.status >= 200 || head.status === 101) return head;
    }
    throw new AnswerError("the answer never comes to its point", { kind: "malformed" });
  }

  async #readHeadText(): Promise<string> {
    const decoder = new TextDecoder("latin1");
    let text = "";
    for (;;) {
      const bytes = await this.read();
      if (bytes === undefined) {
        throw new AnswerError("the connection was closed without an answer", { kind: "closed" });
      }
      const before = text.length;
      text += decoder.decode(bytes);
      const end = /\r?\n\r?\n/g;
      end.lastIndex = Math.max(0, before - 3);
      const found = end.exec(text);
      if (found !== null) {
        this.keep(bytes.slice(end.lastIndex - before));
        return text.slice(0, found.index);
      }
      if (text.length > HEAD_LIMIT) {
        throw new AnswerError("the head of the answer has no end", { kind: "too long" });
      }
    }
  }
}
