import { type BodySink, BufferedReader } from "./buffered_reader.ts";
import { writeAll } from "../io/write_all.ts";
import { closeOnAbort, type DialCall, type Dialer, type DialResult } from "./byte_stream.ts";
import { ResponseError } from "./errors.ts";
import { ANSWERS_PER_SECOND, ReadLimit } from "./read_limits.ts";
import { encodeRequestParts, type RequestMessage } from "./http_request.ts";

/** A request; redirects are not followed. */
export interface HttpRequest extends Omit<RequestMessage, "url" | "forward"> {
  readonly url: string | URL;
  /** Longest body of the response; 256 KiB by default. */
  readonly limitBytes?: number;
  /** Makes what receives the body of a response with status 200, in place of its text. */
  readonly newSink?: () => BodySink;
}

/** A response with its whole body. */
export interface HttpResponse {
  readonly status: number;
  /** By lower-case name. */
  readonly headers: ReadonlyMap<string, string>;
  /** Empty when a sink has received it. */
  readonly text: string;
}

interface Connection extends DialResult {
  readonly reader: BufferedReader;
  usedAtMs: number;
}

/**
 * Idle time after which a connection is not reused: a little more than the time between two looks whether the
 * panel knows the token, for which many servers keep it.
 */
const IDLE_MS = 115_000;
const IDLE_LIMIT = 4;

/**
 * An HTTP/1.1 client with keep-alive and bounded responses, over the same dialer as WebSockets.
 */
export class HttpClient {
  readonly #dialer: Dialer;
  /** Idle connections by origin, the one used last at the end. */
  readonly #idle = new Map<string, Connection[]>();
  /** For all connections: a server could close each before its own is reached. */
  readonly #limit = new ReadLimit({ perSecond: ANSWERS_PER_SECOND });
  #closed = false;

  constructor(options: { dialer: Dialer }) {
    this.#dialer = options.dialer;
  }

  /**
   * Makes a request. When an idle connection turns out to be closed, a new one is opened, once.
   *
   * @throws {ResponseError} When there is no valid response.
   * @throws {DialError} When the server can't be reached.
   * @throws {TypeError} When a header is invalid.
   * @throws The signal's reason when it aborts; the connection is closed then.
   */
  async request(request: HttpRequest, options: DialCall): Promise<HttpResponse> {
    const { signal, onStage } = options;
    signal.throwIfAborted();
    const url = new URL(request.url);
    const call = { ...request, url, signal };
    const idle = this.#takeIdle(url.origin);
    if (idle !== undefined) {
      try {
        return await this.#exchange(idle, call);
      } catch (error) {
        signal.throwIfAborted();
        const isDead = error instanceof ResponseError && error.kind === "closed";
        if (!isDead || idle.reader.hasReceived) throw error;
        // A server that closed this connection has closed those that were idle for longer.
        this.#dropIdle(url.origin);
      }
    }
    const opened = await this.#dialer.dial(url, { signal, onStage });
    const connection = {
      ...opened,
      reader: new BufferedReader(opened.stream, { limit: this.#limit }),
      usedAtMs: 0,
    };
    return await this.#exchange(connection, call);
  }

  /** Closes the idle connections, which are likely to be dead when one was found dead. */
  closeIdle(): void {
    for (const origin of [...this.#idle.keys()]) this.#dropIdle(origin);
  }

  /** Closes the idle connections, and keeps none from now on. */
  close(): void {
    this.#closed = true;
    this.closeIdle();
  }

  async #exchange(
    connection: Connection,
    call: HttpRequest & { url: URL; signal: AbortSignal },
  ): Promise<HttpResponse> {
    const { signal } = call;
    const { stream, reader, forward } = connection;
    using _ = closeOnAbort(stream, signal);
    let reusable = false;
    try {
      signal.throwIfAborted();
      reader.hasReceived = false;
      const parts = encodeRequestParts({ ...call, forward });
      let unsent: unknown;
      try {
        for (const part of parts) await writeAll(stream, part);
      } catch (error) {
        // A server may answer and close before it has read everything.
        unsent = error;
      }
      const head = await reader.readHead().catch((error) => {
        throw unsent ?? error;
      });
      if (head.status === 101) {
        throw new ResponseError("unexpected status 101", { kind: "malformed" });
      }
      const { status, headers } = head;
      const body = status === 200 && call.newSink
        ? { text: "", ...await reader.readInto(call.newSink(), head) }
        : await reader.readText(head, call.limitBytes);
      reusable = body.reusable && unsent === undefined;
      return { status, headers, text: body.text };
    } catch (error) {
      signal.throwIfAborted();
      throw error instanceof ResponseError || error instanceof TypeError
        ? error
        : new ResponseError("the connection was lost", { kind: "closed", cause: error });
    } finally {
      if (reusable && !signal.aborted && !this.#closed) this.#keep(call.url.origin, connection);
      else stream.close();
    }
  }

  /** Closes all connections that were idle for too long, and takes one for the origin. */
  #takeIdle(origin: string): Connection | undefined {
    const oldestMs = performance.now() - IDLE_MS;
    for (const [key, idle] of this.#idle) {
      while (idle[0] !== undefined && idle[0].usedAtMs <= oldestMs) idle.shift()?.stream.close();
      if (idle.length === 0) this.#idle.delete(key);
    }
    return this.#idle.get(origin)?.pop();
  }

  #keep(origin: string, connection: Connection): void {
    connection.usedAtMs = performance.now();
    const idle = this.#idle.get(origin) ?? [];
    this.#idle.set(origin, idle);
    idle.push(connection);
    if (idle.length > IDLE_LIMIT) idle.shift()?.stream.close();
  }

  #dropIdle(origin: string): void {
    for (const { stream } of this.#idle.get(origin) ?? []) stream.close();
    this.#idle.delete(origin);
  }
}
