import { AnswerError } from "../errors.ts";
import type { Dialler, OpenLine } from "../line/line.ts";
import { readBody } from "./answer_body.ts";
import { LineReader, writeAll } from "./line_reader.ts";
import { byteLength, requestBytes, requestHead } from "./request_head.ts";

/** One request. */
export interface HttpRequest {
  readonly method: "GET" | "POST";
  readonly url: string | URL;
  readonly headers: readonly (readonly [string, string])[];
  readonly body?: string | Uint8Array<ArrayBuffer>;
}

/** What was answered. */
export interface HttpAnswer {
  readonly status: number;
  /** By lower-case name. */
  readonly headers: ReadonlyMap<string, string>;
  readonly text: string;
}

interface Connection extends OpenLine {
  readonly reader: LineReader;
  usedAtMs: number;
}

const IDLE_MS = 60_000;
const IDLE_LIMIT = 4;

/**
 * HTTP/1.1 over lines that are kept for the next request; answers are bounded.
 *
 * Own code, since it costs half the CPU of `fetch` a call and megabytes less, and goes by the same
 * lines as WebSockets, with every option of them.
 */
export class HttpClient {
  readonly #dialler: Dialler;
  /** By origin, the one used last at the end. */
  readonly #idle = new Map<string, Connection[]>();
  #closed = false;

  constructor(options: { dialler: Dialler }) {
    this.#dialler = options.dialler;
  }

  /**
   * Makes a request. A kept connection that turns out to be dead is replaced by a new one.
   *
   * @throws {AnswerError} When there is no sane answer.
   * @throws {LineError} When there is no way to the server.
   * @throws The signal's reason when it aborts.
   */
  async request(request: HttpRequest, options: { signal: AbortSignal }): Promise<HttpAnswer> {
    const url = new URL(request.url);
    const kept = this.#takeIdle(url.origin);
    if (kept !== undefined) {
      try {
        return await this.#exchange(kept, { url, request, ...options });
      } catch (error) {
        options.signal.throwIfAborted();
        // One that the other side has given up meanwhile ends without a word.
        const isDead = error instanceof AnswerError && error.kind === "closed";
        if (!isDead || kept.reader.heard) throw error;
      }
    }
    const opened = await this.#dialler.open(url, options);
    const connection = { ...opened, reader: new LineReader(opened.line), usedAtMs: 0 };
    return await this.#exchange(connection, { url, request, ...options });
  }

  /** Ends the kept connections, and keeps none from now on. */
  close(): void {
    this.#closed = true;
    for (const { line } of [...this.#idle.values()].flat()) line.close();
    this.#idle.clear();
  }

  async #exchange(
    connection: Connection,
    options: { url: URL; request: HttpRequest; signal: AbortSignal },
  ): Promise<HttpAnswer> {
    const { url, request, signal } = options;
    const { line, reader, forward } = connection;
    const abort = () => line.close();
    signal.addEventListener("abort", abort, { once: true });
    let reusable = false;
    try {
      signal.throwIfAborted();
      reader.heard = false;
      const { body } = request;
      const head = requestHead({
        ...request,
        url,
        ...(body === undefined ? {} : { bodyLength: byteLength(body) }),
        ...(forward === undefined ? {} : { forward }),
      });
      await writeAll(line, requestBytes(head, body));
      const answer = await reader.readHead();
      const read = await readBody(reader, answer);
      reusable = read.reusable;
      return { status: answer.status, headers: answer.headers, text: read.text };
    } catch (error) {
      signal.throwIfAborted();
      throw error instanceof AnswerError || error instanceof TypeError
        ? error
        : new AnswerError("the connection was lost", { kind: "closed", cause: error });
    } finally {
      signal.removeEventListener("abort", abort);
      if (reusable && !signal.aborted) this.#keep(url.origin, connection);
      else line.close();
    }
  }

  #takeIdle(origin: string): Connection | undefined {
    const idle = this.#idle.get(origin);
    for (let last = idle?.pop(); last !== undefined; last = idle?.pop()) {
      if (performance.now() - last.usedAtMs < IDLE_MS) return last;
      last.line.close();
    }
    return undefined;
  }

  #keep(origin: string, connection: Connection): void {
    connection.usedAtMs = performance.now();
    const idle = this.#idle.get(origin) ?? [];
    if (this.#closed) {
      connection.line.close();
      return;
    }
    idle.push(connection);
    if (idle.length > IDLE_LIMIT) idle.shift()?.line.close();
    this.#idle.set(origin, idle);
  }
}
