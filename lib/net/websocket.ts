import { BoundedBytes } from "./bounded_bytes.ts";
import { BufferedReader } from "./buffered_reader.ts";
import { type ByteStream, type Dialer, writeAll } from "./byte_stream.ts";
import { ResponseError, UpgradeError } from "./errors.ts";
import { encodeRequest, readBodyInto } from "./http1.ts";
import type { ResponseHead } from "./http_head.ts";
import { FrameDecoder, FrameEncoder, type FrameEvent, OPCODE } from "./websocket_frames.ts";

/** A WebSocket that stands. */
export interface WebSocketConnection {
  /** Resolves when the system has taken it; rejects when the connection is gone. */
  send(message: string | Uint8Array<ArrayBuffer>): Promise<void>;
  /** Sends a control ping, which the other side has to answer. */
  ping(): Promise<void>;
  /** When the last bytes of any kind came, in milliseconds of `performance.now()`. */
  readonly lastReceivedAtMs: number;
  /**
   * The next message, text or binary; `undefined` when the connection has ended, for whatever
   * reason. Must not be called again before it has settled.
   */
  receive(): Promise<string | Uint8Array<ArrayBuffer> | undefined>;
  /** Why it has ended, in words for the log; empty as long as it stands. */
  readonly closeReason: string;
  /** Whether it was ended here, since what came was no message or a far too long one. */
  readonly protocolError: boolean;
  /** Ends the connection at once. */
  close(): void;
}

/** No message of a panel is as long. */
const MESSAGE_LIMIT_BYTES = 1024 * 1024;

/** Codes that a close frame gives as its reason (RFC 6455). */
const CLOSE_CODES = { normal: 1000, broken: 1002, tooLong: 1009 } as const;

/**
 * A WebSocket over a stream, after the handshake.
 *
 * Nothing is read but when somebody receives, so a flood of messages is slowed down by TCP, and
 * pings are answered only then.
 */
export class ClientWebSocket implements WebSocketConnection {
  readonly #stream: ByteStream;
  readonly #reader: BufferedReader;
  readonly #decoder = new FrameDecoder({ limit: MESSAGE_LIMIT_BYTES });
  readonly #encoder = new FrameEncoder();
  #events: Iterator<FrameEvent, void> | undefined;
  #lastWrite: Promise<void> = Promise.resolve();
  /** Frames that wait for the system to take them. */
  #waiting = 0;
  /** What the next pong has to say. */
  #pong: Uint8Array<ArrayBuffer> | undefined;
  #closeReason = "";
  #protocolError = false;
  #lastReceivedAtMs = performance.now();

  constructor(stream: ByteStream, reader: BufferedReader) {
    this.#stream = stream;
    this.#reader = reader;
  }

  get lastReceivedAtMs(): number {
    return this.#lastReceivedAtMs;
  }

  get closeReason(): string {
    return this.#closeReason;
  }

  get protocolError(): boolean {
    return this.#protocolError;
  }

  send(message: string | Uint8Array<ArrayBuffer>): Promise<void> {
    const opcode = typeof message === "string" ? OPCODE.text : OPCODE.binary;
    return this.#enqueueWrite(() => this.#write(opcode, message));
  }

  ping(): Promise<void> {
    return this.#enqueueWrite(() => this.#write(OPCODE.ping, ""));
  }

  async receive(): Promise<string | Uint8Array<ArrayBuffer> | undefined> {
    try {
      while (this.#closeReason === "") {
        const next = this.#events?.next();
        if (next === undefined || next.done) {
          const bytes = await this.#reader.read();
          if (bytes === undefined) {
            this.#end("the panel closed the connection");
            break;
          }
          this.#lastReceivedAtMs = performance.now();
          this.#events = this.#decoder.decode(bytes);
          continue;
        }
        const event = next.value;
        if (event.kind === "text") return event.text;
        if (event.kind === "binary") return event.bytes;
        if (event.kind === "ping") this.#answerPing(event.bytes);
        if (event.kind === "close") this.#sendCloseAndEnd(describeClose(event), event.code);
      }
    } catch (error) {
      this.#protocolError = error instanceof RangeError || error instanceof SyntaxError;
      if (error instanceof RangeError) {
        this.#sendCloseAndEnd("the panel sent a message that is too long", CLOSE_CODES.tooLong);
      } else if (error instanceof SyntaxError) {
        this.#sendCloseAndEnd("the panel sent what is no WebSocket message", CLOSE_CODES.broken);
      } else {
        this.#end("the connection was lost");
      }
    }
    return undefined;
  }

  close(): void {
    this.#sendCloseAndEnd("it was closed here", CLOSE_CODES.normal);
  }

  /** Only the latest ping is answered of those that come before a pong gets out. */
  #answerPing(payload: Uint8Array<ArrayBuffer>): void {
    const isInFlight = this.#pong !== undefined;
    this.#pong = payload;
    if (isInFlight) return;
    this.#enqueueWrite(() => {
      const latest = this.#pong ?? payload;
      this.#pong = undefined;
      return this.#write(OPCODE.pong, latest);
    }).catch(() => {});
  }

  /** One frame goes out after another, each in one piece. */
  #enqueueWrite(write: () => Promise<void>): Promise<void> {
    const written = this.#waiting === 0 ? write() : this.#lastWrite.then(write);
    const settle = () => void this.#waiting--;
    this.#waiting++;
    this.#lastWrite = written.then(settle, settle);
    return written;
  }

  async #write(opcode: number, payload: string | Uint8Array<ArrayBuffer>): Promise<void> {
    if (this.#closeReason === "") {
      try {
        return await writeAll(this.#stream, this.#encoder.encode(opcode, payload));
      } catch {
        this.#end("the connection was lost");
      }
    }
    throw new Error(`Cannot send: ${this.#closeReason}`);
  }

  /** Says describeClose if the system takes it at once; nobody waits for an answer. */
  #sendCloseAndEnd(why: string, code: number | undefined): void {
    if (this.#closeReason !== "") return;
    if (this.#waiting === 0) {
      const payload = code === undefined ? [] : [code >> 8, code & 0xFF];
      const frame = this.#encoder.encode(OPCODE.close, Uint8Array.from(payload));
      this.#stream.write(frame).catch(() => {});
    }
    this.#end(why);
  }

  #end(why: string): void {
    if (this.#closeReason !== "") return;
    this.#closeReason = why;
    this.#stream.close();
  }
}

function describeClose({ code, reason }: FrameEvent & { kind: "close" }): string {
  const words = [code ?? "", reason && JSON.stringify(reason)].filter((word) => word !== "");
  return `the panel ended the connection${words.length === 0 ? "" : ` (${words.join(", ")})`}`;
}

/** Enough of a refusal to tell a page from a panel's words. */
const REFUSAL_BYTES = 1024;
/** What a server and a client have to prove that they mean a WebSocket (RFC 6455). */
const ACCEPT_SUFFIX = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** How to open a WebSocket. */
export interface OpenWebSocketOptions {
  readonly dialer: Dialer;
  readonly headers: readonly (readonly [string, string])[];
  /** Ends the opening, not what has been opened. */
  readonly signal: AbortSignal;
  /** How long the server may take to answer, once there is a stream to it. */
  readonly openTimeoutMs: number;
}

/**
 * Opens a WebSocket by a URL of HTTP or of WebSockets.
 *
 * Own code, since the runtime's takes messages of 64 MiB, sends no pings, hides the status of a
 * refusal, and knows fewer ways through proxies and name servers. Compression is not offered: it
 * costs more than it saves here, and opens the door to bombs.
 *
 * @throws {UpgradeError} When the server answers something else.
 * @throws {ResponseError} When it answers nothing sane, or (`timeout`) nothing in time.
 * @throws {LineError} When there is no way to it.
 * @throws {TypeError} When a header can't be sent.
 * @throws The signal's reason when it aborts.
 */
export async function openWebSocket(
  url: string | URL,
  options: OpenWebSocketOptions,
): Promise<WebSocketConnection> {
  const { dialer, signal, openTimeoutMs } = options;
  const address = new URL(String(url).replace(/^http/, "ws"));
  const { stream, forward } = await dialer.dial(address, { signal });
  const ended = Promise.withResolvers<never>();
  // Nobody may be waiting for it any more.
  ended.promise.catch(() => {});
  const abort = () => ended.reject(signal.reason);
  const timer = setTimeout(() => {
    const message = `no answer within ${openTimeoutMs / 1000} s`;
    ended.reject(new ResponseError(message, { kind: "timeout" }));
  }, openTimeoutMs);
  signal.addEventListener("abort", abort, { once: true });
  try {
    signal.throwIfAborted();
    const reader = new BufferedReader(stream);
    const key = crypto.getRandomValues(new Uint8Array(16)).toBase64();
    const request = encodeRequest({
      method: "GET",
      url: address,
      forward,
      headers: [
        ...options.headers,
        ["connection", "Upgrade"],
        ["upgrade", "websocket"],
        ["sec-websocket-version", "13"],
        ["sec-websocket-key", key],
      ],
    });
    const head = await Promise.race([ask(request, { stream, reader }), ended.promise]);
    if (head.status !== 101) throw await refusal({ reader, head }, ended.promise);
    if (!isAgreed(head, await acceptOf(key))) {
      throw new ResponseError("the answer is no WebSocket's", { kind: "malformed" });
    }
    signal.throwIfAborted();
    return new ClientWebSocket(stream, reader);
  } catch (error) {
    stream.close();
    signal.throwIfAborted();
    const isKnown = [ResponseError, UpgradeError, TypeError].some((kind) => error instanceof kind);
    if (isKnown) throw error;
    throw new ResponseError("the connection was lost", { kind: "closed", cause: error });
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", abort);
  }
}

async function ask(
  request: Uint8Array<ArrayBuffer>,
  { stream, reader }: { stream: ByteStream; reader: BufferedReader },
): Promise<ResponseHead> {
  await writeAll(stream, request);
  return await reader.readHead();
}

/** The status counts, whatever becomes of the body. */
async function refusal(
  answer: { reader: BufferedReader; head: ResponseHead },
  ended: Promise<never>,
): Promise<UpgradeError> {
  const { status, headers } = answer.head;
  const start = new BoundedBytes(REFUSAL_BYTES);
  await Promise.race([readBodyInto(start, answer), ended]).catch(() => {});
  // A letter may be cut in two at the end.
  const text = new TextDecoder().decode(start.bytes, { stream: true });
  return new UpgradeError(status, { text, location: headers.get("location") });
}

/** Whether a server means the WebSocket that was asked for, without extension or subprotocol. */
function isAgreed({ headers }: ResponseHead, accept: string): boolean {
  const connection = headers.get("connection")?.toLowerCase().split(/[\s,]+/) ?? [];
  return headers.get("upgrade")?.toLowerCase() === "websocket" &&
    connection.includes("upgrade") &&
    headers.get("sec-websocket-accept") === accept &&
    !headers.has("sec-websocket-extensions") &&
    !headers.has("sec-websocket-protocol");
}

async function acceptOf(key: string): Promise<string> {
  const bytes = new TextEncoder().encode(key + ACCEPT_SUFFIX);
  return new Uint8Array(await crypto.subtle.digest("SHA-1", bytes)).toBase64();
}
