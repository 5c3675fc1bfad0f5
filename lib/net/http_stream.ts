import { BufferedReader } from "./buffered_reader.ts";
import { writeAll } from "../io/write_all.ts";
import { type ByteStream, closeOnAbort, type Dialer } from "./byte_stream.ts";
import { ResponseError } from "./errors.ts";
import { checkEncoding, encodeRequestHead, readBody, readBodyInto } from "./http1.ts";
import type { HttpRequest, HttpResponse } from "./http_client.ts";
import type { ResponseHead } from "./http_head.ts";

/** A request whose body, or whose response's body, is too long for memory. */
export interface StreamedRequest extends Omit<HttpRequest, "body"> {
  /** The body; without it the request has none. */
  readonly source?: ByteSource | undefined;
  /** Receives the body of a response of status 200; any other body becomes text. */
  readonly sink?: ByteSink | undefined;
}

/** The source of a body. */
export interface ByteSource {
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
 * direction. It is never repeated: the source can be read once only.
 *
 * @param options `stallMs`: ends the request when no byte has moved for so long.
 * @throws {ResponseError} When there is no valid response, or its body has another length than `sink`.
 * @throws {DialError} When the server can't be reached.
 * @throws What source and sink throw, and the signal's reason when it aborts.
 */
export async function streamRequest(
  dialer: Dialer,
  request: StreamedRequest,
  { signal, stallMs }: { signal: AbortSignal; stallMs: number },
): Promise<HttpResponse> {
  signal.throwIfAborted();
  const url = new URL(request.url);
  const { stream, forward } = await dialer.dial(url, { signal });
  const exchange = new RequestStream(stream);
  using _stall = exchange.closeOnStall(stallMs);
  using _abort = closeOnAbort(stream, signal);
  try {
    signal.throwIfAborted();
    const headers = [...request.headers, ["connection", "close"] as const];
    const message = { method: request.method, url, headers, forward };
    const head = encodeRequestHead(message, request.source?.lengthBytes);
    return await exchange.run(new TextEncoder().encode(head), request);
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    stream.close();
  }
}

class RequestStream {
  readonly #stream: ByteStream;
  readonly #reader: BufferedReader;
  #movedAtMs = performance.now();
  #isStalled = false;

  constructor(stream: ByteStream) {
    this.#stream = stream;
    this.#reader = new BufferedReader(stream, { bufferBytes: BUFFER_BYTES });
  }

  /** Closes the connection when no byte moves for `stallMs`, until the result is disposed of. */
  closeOnStall(stallMs: number): Disposable {
    const timer = setInterval(() => {
      if (performance.now() - this.#movedAtMs < stallMs) return;
      this.#isStalled = true;
      this.#stream.close();
    }, stallMs / CHECKS_PER_LIMIT);
    return { [Symbol.dispose]: () => clearInterval(timer) };
  }

  async run(
    head: Uint8Array<ArrayBuffer>,
    request: StreamedRequest,
  ): Promise<HttpResponse> {
    // Read from the start: a server may refuse the request before all of it was sent.
    const answering = this.#network(this.#reader.readHead());
    let isSettled = false;
    answering.catch(() => {}).finally(() => isSettled = true);
    const { error, leftBytes } = await this.#send(head, {
      source: request.source,
      isWanted: () => !isSettled,
    });
    const answer = await answering.catch((cause) => {
      throw error ?? cause;
    });
    // The server can't have accepted what was not sent.
    if (leftBytes > 0 && answer.status < 300) {
      throw error ?? new ResponseError("the answer came before the body was sent", {
        kind: "malformed",
      });
    }
    return await this.#receive(answer, request);
  }

  /** Sends a request while it is wanted; gives the bytes of the body that were not sent, and why. */
  async #send(
    head: Uint8Array<ArrayBuffer>,
    { source, isWanted }: { source: ByteSource | undefined; isWanted: () => boolean },
  ): Promise<{ leftBytes: number; error?: unknown }> {
    let leftBytes = source?.lengthBytes ?? 0;
    const buffer = new Uint8Array(source === undefined ? 0 : BUFFER_BYTES);
    for (let piece = head;;) {
      try {
        await this.#network(writeAll(this.#stream, piece));
      } catch (error) {
        return { leftBytes, error };
      }
      this.#movedAtMs = performance.now();
      if (piece !== head) leftBytes -= piece.length;
      if (source === undefined || leftBytes === 0 || !isWanted()) return { leftBytes };
      const count = await source.read(buffer.subarray(0, Math.min(leftBytes, buffer.length)));
      if (count === 0) throw new RangeError("the source of a body ended early");
      piece = buffer.subarray(0, count);
    }
  }

  async #receive(
    head: ResponseHead,
    { sink, limitBytes }: StreamedRequest,
  ): Promise<HttpResponse> {
    const { status, headers } = head;
    if (status === 101) throw new ResponseError("unexpected status 101", { kind: "malformed" });
    if (sink === undefined || status !== 200) {
      const { text } = await this.#network(readBody(this.#reader, { head, limitBytes }));
      return { status, headers, text };
    }
    checkEncoding(head);
    let left = sink.lengthBytes;
    let failure: { readonly error: unknown } | undefined;
    const add = async (bytes: Uint8Array<ArrayBuffer>) => {
      this.#movedAtMs = performance.now();
      left -= bytes.length;
      if (left < 0) return false;
      try {
        await sink.write(bytes);
        return true;
      } catch (error) {
        failure = { error };
        return false;
      }
    };
    await this.#network(readBodyInto({ add }, { reader: this.#reader, head }));
    if (failure !== undefined) throw failure.error;
    if (left < 0 || (left > 0 && !sink.takesShorter)) {
      throw new ResponseError(`the answer does not have ${sink.lengthBytes} bytes`, {
        kind: left < 0 ? "too long" : "closed",
      });
    }
    return { status, headers, text: "" };
  }

  /** Translates a failure of the connection. */
  async #network<T>(moving: Promise<T>): Promise<T> {
    try {
      return await moving;
    } catch (cause) {
      if (this.#isStalled) throw new ResponseError("the transfer stalled", { kind: "timeout" });
      if (cause instanceof ResponseError || cause instanceof TypeError) throw cause;
      throw new ResponseError("the connection was lost", { kind: "closed", cause });
    }
  }
}
