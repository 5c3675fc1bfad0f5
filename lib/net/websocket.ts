import { abortable } from "@std/async/abortable";
import { delay } from "@std/async/delay";
import type { Abridged } from "../io/abridged_bytes.ts";
import { BoundedBytes } from "../io/bounded_bytes.ts";
import { BufferedReader } from "./buffered_reader.ts";
import { writeAll } from "../io/write_all.ts";
import type { ByteStream, Dialer, DialResult } from "./byte_stream.ts";
import { ResponseError, UpgradeError } from "./errors.ts";
import { encodeRequest } from "./http_request.ts";
import type { ResponseHead } from "./http_head.ts";
import { isTimeout, withTimeout } from "../async/timeout.ts";
import { foreignWords } from "../parse/bounded_text.ts";
import { FrameDecoder, FrameEncoder, type FrameEvent, OPCODE } from "./websocket_frames.ts";

/** An open WebSocket, or what stands in for one. */
export type WebSocketConnection = Pick<ClientWebSocket, keyof ClientWebSocket>;

/** Why a server has closed a WebSocket, in its own words. */
export interface CloseFrame {
  readonly code?: number | undefined;
  readonly reason: string;
}

/** Frames that wait for a server that reads none: calls whose answers it guesses would be sent for ever. */
const MAX_WAITING = 1024;

/** Status codes of close frames (RFC 6455, section 7.4). */
const CLOSE_CODES = { normal: 1000, broken: 1002, tooLong: 1009 } as const;

/**
 * A client WebSocket over a stream, after the handshake.
 *
 * Bytes are read only during {@linkcode ClientWebSocket.receive}, so TCP's back-pressure slows down a
 * flood of messages; pings are answered only then.
 */
export class ClientWebSocket {
  readonly #stream: ByteStream;
  readonly #reader: BufferedReader;
  readonly #decoder: FrameDecoder;
  /**
   * Called at the header of each frame, control frames too, with the length of its payload in bytes.
   * Nothing is read for as many milliseconds as it returns.
   */
  onFrame: ((payloadBytes: number) => number) | undefined;
  /** Called with what is left of a message that was too long. */
  onSkipped: ((message: Abridged) => void) | undefined;
  /** Called with the payload of each pong; a server may answer the last of several pings alone. */
  onPong: ((payload: Uint8Array<ArrayBuffer>) => void) | undefined;
  readonly #encoder = new FrameEncoder();
  #events: Iterator<FrameEvent, void> | undefined;
  #lastWrite: Promise<void> = Promise.resolve();
  /** Frames that are being written. */
  #waiting = 0;
  /** Payload of the next pong. */
  #pong: Uint8Array<ArrayBuffer> | undefined;
  readonly #closed = new AbortController();
  /** Why the connection was closed, for the log; empty while it is open. */
  closeReason = "";
  /** The server's close frame, if it sent one. */
  closeFrame: CloseFrame | undefined;
  /** Whether neither side has closed it: it was reset, or what was sent did not get away. */
  wasLost = false;
  /** Whether it was closed because the server sent an invalid frame or too long a message. */
  protocolError = false;
  /** When bytes of any kind were last received, in milliseconds of `performance.now()`. */
  lastReceivedAtMs = performance.now();

  /** @param options As of {@linkcode openWebSocket}. */
  constructor(
    stream: ByteStream,
    options: { reader: BufferedReader } & MessageLimits,
  ) {
    this.#stream = stream;
    this.#reader = options.reader;
    this.#decoder = new FrameDecoder({
      limit: options.maxMessageBytes,
      skipLimit: options.maxSkippedBytes,
    });
  }

  /** Sends a message; resolves when the system has taken it, rejects when the connection is closed. */
  send(message: string | Uint8Array<ArrayBuffer>): Promise<void> {
    const opcode = typeof message === "string" ? OPCODE.text : OPCODE.binary;
    return this.#enqueueWrite(() => this.#write(opcode, message));
  }

  /** Sends a ping frame, which the server has to answer behind all that it has received before. */
  ping(payload?: Uint8Array<ArrayBuffer>): Promise<void> {
    return this.#enqueueWrite(() => this.#write(OPCODE.ping, payload ?? ""));
  }

  /**
   * Receives the next message, text or binary; `undefined` when the connection is closed. Must not
   * be called again before it has settled.
   */
  async receive(): Promise<string | Uint8Array<ArrayBuffer> | undefined> {
    try {
      while (this.closeReason === "") {
        const next = this.#events?.next();
        if (next === undefined || next.done) {
          const bytes = await this.#reader.read();
          if (bytes === undefined) {
            this.#end("the server closed the connection");
            break;
          }
          this.lastReceivedAtMs = performance.now();
          this.#events = this.#decoder.decode(bytes);
          continue;
        }
        const event = next.value;
        if (event.kind === "frame") {
          const pauseMs = this.onFrame?.(event.payloadBytes) ?? 0;
          if (pauseMs > 0) await delay(pauseMs, this.#closed).catch(() => {});
        }
        if (event.kind === "text") return event.text;
        if (event.kind === "binary") return event.bytes;
        if (event.kind === "ping") this.#answerPing(event.bytes);
        if (event.kind === "skipped") this.onSkipped?.(event.message);
        if (event.kind === "pong") this.onPong?.(event.bytes);
        if (event.kind === "close") {
          this.closeFrame = event;
          const words = describeCloseFrame(event);
          const why = `the server closed the connection${words && `: ${words}`}`;
          this.#sendCloseAndEnd(why, event.code);
        }
      }
    } catch (error) {
      this.protocolError = error instanceof RangeError || error instanceof SyntaxError;
      if (error instanceof RangeError) {
        this.#sendCloseAndEnd("the server sent a message that is too long", CLOSE_CODES.tooLong);
      } else if (error instanceof SyntaxError) {
        this.#sendCloseAndEnd("the server sent an invalid WebSocket frame", CLOSE_CODES.broken);
      } else {
        this.#lose();
      }
    }
    return undefined;
  }

  /** Closes the connection at once. */
  close(): void {
    this.#sendCloseAndEnd("it was closed here", CLOSE_CODES.normal);
  }

  /** Answers the latest of the pings that came while a pong was being written. */
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

  /** Writes frames one after another, each in one piece. */
  #enqueueWrite(write: () => Promise<void>): Promise<void> {
    if (this.#waiting >= MAX_WAITING) this.#lose();
    const written = this.#waiting === 0 ? write() : this.#lastWrite.then(write);
    const settle = () => void this.#waiting--;
    this.#waiting++;
    this.#lastWrite = written.then(settle, settle);
    return written;
  }

  async #write(opcode: number, payload: string | Uint8Array<ArrayBuffer>): Promise<void> {
    if (this.closeReason === "") {
      try {
        return await writeAll(this.#stream, this.#encoder.encode(opcode, payload));
      } catch {
        this.#lose();
      }
    }
    throw new Error(`Cannot send: ${this.closeReason}`);
  }

  /** Sends a close frame if it can be written immediately, and closes the connection. */
  #sendCloseAndEnd(why: string, code: number | undefined): void {
    if (this.closeReason !== "") return;
    if (this.#waiting === 0) {
      const payload = code === undefined ? [] : [code >> 8, code & 0xFF];
      const frame = this.#encoder.encode(OPCODE.close, Uint8Array.from(payload));
      this.#stream.write(frame).catch(() => {});
    }
    this.#end(why);
  }

  #lose(): void {
    this.wasLost ||= this.closeReason === "";
    this.#end("the connection was lost");
  }

  #end(why: string): void {
    if (this.closeReason !== "") return;
    this.closeReason = why;
    this.#closed.abort();
    this.#stream.close();
  }
}

/** As long as a close frame's reason can be. */
const MAX_REASON_LENGTH = 123;

/** A close frame's own words: `1012 service restart`; empty when it has none. */
export function describeCloseFrame({ code, reason }: CloseFrame): string {
  return `${code ?? ""} ${foreignWords(reason, MAX_REASON_LENGTH)}`.trim();
}

/** Bytes of the body of a refused upgrade that are kept for the log. */
const REFUSAL_BYTES = 1024;
/** The GUID of RFC 6455, section 1.3. */
const ACCEPT_SUFFIX = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** How long messages may be. */
interface MessageLimits {
  /** The longest message that is received. */
  readonly maxMessageBytes: number;
  /** A longer message is skipped up to this length, and a longer one closes the connection. */
  readonly maxSkippedBytes?: number | undefined;
}

/** Options of {@linkcode openWebSocket}. */
export interface OpenWebSocketOptions extends MessageLimits {
  readonly dialer: Dialer;
  readonly headers: readonly (readonly [string, string])[];
  /** Cancels the opening, not the open connection. */
  readonly signal: AbortSignal;
  /** Time for the server to answer the upgrade, once it is connected. */
  readonly openTimeoutMs: number;
}

/**
 * Opens a WebSocket by an `http:`, `https:`, `ws:` or `wss:` URL.
 *
 * Compression is not offered: it costs more than it saves here, and allows decompression bombs.
 *
 * @throws {UpgradeError} When the server answers with another status.
 * @throws {ResponseError} When the response is malformed, or (`timeout`) did not come in time.
 * @throws {DialError} When the server can't be reached.
 * @throws {TypeError} When a header is invalid.
 * @throws The signal's reason when it aborts.
 */
export async function openWebSocket(
  url: string | URL,
  options: OpenWebSocketOptions,
): Promise<WebSocketConnection> {
  const { dialer, signal, openTimeoutMs } = options;
  const address = new URL(String(url).replace(/^http/, "ws"));
  const dialed = await dialer.dial(address, { signal });
  try {
    const outcome = await withTimeout(
      (signal) => shakeHands(address, { ...options, ...dialed, signal }),
      { timeoutMs: openTimeoutMs, signal },
    );
    if (outcome instanceof UpgradeError) throw outcome;
    return outcome;
  } catch (error) {
    dialed.stream.close();
    signal.throwIfAborted();
    if (isTimeout(error)) throw new ResponseError(error.message, { kind: "timeout" });
    const isKnown = [ResponseError, UpgradeError, TypeError].some((kind) => error instanceof kind);
    if (isKnown) throw error;
    throw new ResponseError("the connection was lost", { kind: "closed", cause: error });
  }
}

/** Sends the upgrade request; a refusal is returned, since a timeout while its body is read is none. */
async function shakeHands(
  url: URL,
  { stream, forward, headers, signal, maxMessageBytes, maxSkippedBytes }:
    & DialResult
    & Omit<OpenWebSocketOptions, "dialer">,
): Promise<WebSocketConnection | UpgradeError> {
  const reader = new BufferedReader(stream);
  const key = crypto.getRandomValues(new Uint8Array(16)).toBase64();
  const request = encodeRequest({
    method: "GET",
    url,
    forward,
    headers: [
      ...headers,
      ["connection", "Upgrade"],
      ["upgrade", "websocket"],
      ["sec-websocket-version", "13"],
      ["sec-websocket-key", key],
    ],
  });
  const head = await abortable(sendRequest(request, { stream, reader }), signal);
  if (head.status !== 101) {
    const start = new BoundedBytes(REFUSAL_BYTES);
    // The status is enough when no body comes.
    await abortable(readStart(reader.readBody(head), start), signal).catch(() => {});
    return toUpgradeError(head, start.bytes);
  }
  if (!isAccepted(head, await acceptKeyOf(key))) {
    throw new ResponseError("the answer is not a WebSocket handshake", { kind: "malformed" });
  }
  signal.throwIfAborted();
  return new ClientWebSocket(stream, { reader, maxMessageBytes, maxSkippedBytes });
}

async function sendRequest(
  request: Uint8Array<ArrayBuffer>,
  { stream, reader }: { stream: ByteStream; reader: BufferedReader },
): Promise<ResponseHead> {
  await writeAll(stream, request);
  return await reader.readHead();
}

async function readStart(
  body: AsyncIterable<Uint8Array<ArrayBuffer>>,
  into: BoundedBytes,
): Promise<void> {
  for await (const bytes of body) if (!into.add(bytes)) return;
}

function toUpgradeError({ status, headers }: ResponseHead, body: Uint8Array): UpgradeError {
  // The end may be in the middle of a character.
  const text = new TextDecoder().decode(body, { stream: true });
  return new UpgradeError(status, { text, headers });
}

/** Whether the server accepted the handshake without extension or subprotocol. */
function isAccepted({ headers }: ResponseHead, accept: string): boolean {
  const connection = headers.get("connection")?.toLowerCase().split(/[\s,]+/) ?? [];
  return headers.get("upgrade")?.toLowerCase() === "websocket" &&
    connection.includes("upgrade") &&
    headers.get("sec-websocket-accept") === accept &&
    !headers.has("sec-websocket-extensions") &&
    !headers.has("sec-websocket-protocol");
}

async function acceptKeyOf(key: string): Promise<string> {
  const bytes = new TextEncoder().encode(key + ACCEPT_SUFFIX);
  return new Uint8Array(await crypto.subtle.digest("SHA-1", bytes)).toBase64();
}
