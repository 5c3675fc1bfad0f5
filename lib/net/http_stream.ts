import { BufferedReader } from "./buffered_reader.ts";
import { writeAll } from "../io/write_all.ts";
import { type ByteStream, closeOnAbort, type Dialer } from "./byte_stream.ts";
import { ResponseError } from "./errors.ts";
import type { HttpRequest, HttpResponse } from "./http_client.ts";
import { checkEncoding, type ResponseHead } from "./http_head.ts";
import { encodeRequestHead } from "./http_request.ts";

/** A request whose body, or whose response's body, is too long for memory. */
export interface StreamedRequest extends Omit<HttpRequest, "body"> {
  /** The body; without it the request has none. */
  readonly body?: StreamedBody | undefined;
  /** Receives the body of a response of status 200; any other body becomes text. */
  readonly sink?: ByteSink | undefined;
}

/** A body that is read while it is sent. */
export interface StreamedBody {
  readonly lengthBytes: number;
  /** Fills the start of a buffer and gives the count, which is at least 1. */
  read(into: Uint8Array<ArrayBuffer>): Promise<number>;
}

/** The destination of a body. */
export interface ByteSink {
  /** A body of another length is refused. */
  readonly lengthBytes: number;
  /** Whether a shorter one is taken too. */
  readonly takesShorter?: boolean;
  /** Writes bytes, which are valid until this settles. */
  write(bytes: Uint8Array<ArrayBuffer>): Promise<void>;
}

const BUFFER_BYTES = 64 * 1024;

/** Checks for a stall in each {@linkcode streamRequest} limit. */
const CHECKS_PER_LIMIT = 4;

/**
 * Makes one request over a connection of its own, with bodies of any length and one buffer in each
 * direction. It is never repeated: the body can be read once only.
 *
 * @param options `stallMs`: ends the request when no byte has moved for so long.
 * @throws {ResponseError} When there is no valid response, or its body has another length than `sink`.
 * @throws {DialError} When the server can't be reached.
 * @throws What body and sink throw, and the signal's reason when it aborts.
 */
export async function streamRequest(
  dialer: Dialer,
  request: StreamedRequest,
  { signal, stallMs }: { signal: AbortSignal; stallMs: number },
): Promise<HttpResponse> {
  signal.throwIfAborted();
  const url = new URL(request.url);
  const { stream, forward } = await dialer.dial(url, { signal });
  using watched = new WatchedStream(stream, stallMs);
  using _ = closeOnAbort(stream, signal);
  try {
    signal.throwIfAborted();
    const { method, body } = request;
    const headers = [...request.headers, ["connection", "close"] as const];
    const head = encodeRequestHead({ method, url, headers, forward }, body?.lengthBytes);
    const reader = new BufferedReader(watched, { bufferBytes: BUFFER_BYTES });
    // Read from the start: a server may refuse the request before all of it was sent.
    const answering = reader.readHead();
    let isSettled = false;
    answering.catch(() => {}).finally(() => isSettled = true);
    const isWanted = () => !isSettled;
    const { error, leftBytes } = await send(watched, head, { body, isWanted });
    const answer = await answering.catch((cause) => {
      throw error ?? cause;
    });
    // The server can't have accepted what was not sent.
    if (leftBytes > 0 && answer.status < 300) {
      throw error ?? new ResponseError("the answer came before the body was sent", {
        kind: "malformed",
      });
    }
    return await receive(reader, answer, request);
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}

/** A stream that closes when no byte has moved for too long, and whose errors say so. */
class WatchedStream implements Omit<ByteStream, "close">, Disposable {
  readonly #stream: ByteStream;
  readonly #timer: ReturnType<typeof setInterval>;
  #movedAtMs = performance.now();
  #isStalled = false;

  constructor(stream: ByteStream, stallMs: number) {
    this.#stream = stream;
    this.#timer = setInterval(() => {
      if (performance.now() - this.#movedAtMs < stallMs) return;
      this.#isStalled = true;
      stream.close();
    }, stallMs / CHECKS_PER_LIMIT);
  }

  read(into: Uint8Array<ArrayBuffer>): Promise<number | null> {
    return this.#watch(this.#stream.read(into));
  }

  write(bytes: Uint8Array<ArrayBuffer>): Promise<number> {
    return this.#watch(this.#stream.write(bytes));
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#stream.close();
  }

  async #watch<T>(moving: Promise<T>): Promise<T> {
    try {
      const moved = await moving;
      this.#movedAtMs = performance.now();
      return moved;
    } catch (cause) {
      if (this.#isStalled) throw new ResponseError("the transfer stalled", { kind: "timeout" });
      throw new ResponseError("the connection was lost", { kind: "closed", cause });
    }
  }
}

/** Sends a request while it is wanted; gives the bytes of the body that were not sent, and why. */
async function send(
  stream: WatchedStream,
  head: string,
  { body, isWanted }: { body: StreamedBody | undefined; isWanted: () => boolean },
): Promise<{ leftBytes: number; error?: unknown }> {
  let leftBytes = body?.lengthBytes ?? 0;
  const buffer = new Uint8Array(body === undefined ? 0 : BUFFER_BYTES);
  for (let piece = new TextEncoder().encode(head), isHead = true;; isHead = false) {
    try {
      await writeAll(stream, piece);
    } catch (error) {
      return { leftBytes, error };
    }
    if (!isHead) leftBytes -= piece.length;
    if (body === undefined || leftBytes === 0 || !isWanted()) return { leftBytes };
    const count = await body.read(buffer.subarray(0, Math.min(leftBytes, buffer.length)));
    if (count === 0) throw new RangeError("the body ended early");
    piece = buffer.subarray(0, count);
  }
}

async function receive(
  reader: BufferedReader,
  head: ResponseHead,
  { sink, limitBytes }: StreamedRequest,
): Promise<HttpResponse> {
  const { status, headers } = head;
  if (status === 101) throw new ResponseError("unexpected status 101", { kind: "malformed" });
  if (sink === undefined || status !== 200) {
    const { text } = await reader.readText(head, limitBytes);
    return { status, headers, text };
  }
  checkEncoding(head);
  let leftBytes = sink.lengthBytes;
  for await (const bytes of reader.readBody(head)) {
    leftBytes -= bytes.length;
    if (leftBytes < 0) break;
    await sink.write(bytes);
  }
  if (leftBytes < 0 || (leftBytes > 0 && !sink.takesShorter)) {
    throw new ResponseError(`the answer does not have ${sink.lengthBytes} bytes`, {
      kind: leftBytes < 0 ? "too long" : "closed",
    });
  }
  return { status, headers, text: "" };
}
