/** A line of a chunk's size, or of a trailer, is never as long. */
const LINE_LIMIT = 4096;
const TRAILERS_LIMIT = 32 * 1024;

/**
 * Takes the chunked transfer coding off a body, piece by piece.
 *
 * Own code, as all of HTTP here; `http_client.ts` says why.
 */
export class ChunkedBody {
  #line = "";
  /** Bytes of the present chunk that are still to come. */
  #rest = 0;
  #state: "size" | "data" | "after data" | "trailer" | "ended" = "size";
  #trailerBytes = 0;
  #surplus = 0;

  /** Whether the whole body has come. */
  get ended(): boolean {
    return this.#state === "ended";
  }

  /** How many of the bytes taken last came after the end; they are left alone. */
  get surplus(): number {
    return this.#surplus;
  }

  /**
   * Takes bytes as they come, and gives the parts of them that are the body's; they are views.
   *
   * @throws {SyntaxError} When it is no such coding.
   */
  take(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer>[] {
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
    this.#surplus = Math.max(0, bytes.length - at);
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
