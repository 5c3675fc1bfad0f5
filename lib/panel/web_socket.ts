import { AnswerError, UpgradeRefused } from "../errors.ts";
import type { Dialler, Line } from "../line/line.ts";
import {
  encodeFrame,
  FrameDecoder,
  type FrameEvent,
  LONGEST_HEAD_BYTES,
  OPCODE,
} from "../parse/websocket_frame.ts";
import { readBody } from "./answer_body.ts";
import { LineReader, writeAll } from "./line_reader.ts";
import { requestHead } from "./request_head.ts";
import type { Socket } from "./socket.ts";

/** No message of a panel is as long. */
const MESSAGE_LIMIT_BYTES = 1024 * 1024;
/** What a server and a client have to prove that they mean a WebSocket (RFC 6455). */
const ACCEPT_SUFFIX = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** How to open a WebSocket. */
export interface WebSocketOptions {
  readonly dialler: Dialler;
  readonly headers: readonly (readonly [string, string])[];
  /** Ends the opening, not what has been opened. */
  readonly signal: AbortSignal;
  readonly openTimeoutMs: number;
}

/**
 * Opens a WebSocket by a URL of HTTP.
 *
 * Own code, since the runtime's takes messages of 64 MiB, sends no pings, hides the status of a
 * refusal, and knows fewer ways through proxies and name servers.
 *
 * @throws {UpgradeRefused} When the server answers something else.
 * @throws {AnswerError} When it answers nothing sane, or (`timeout`) nothing in time.
 * @throws {LineError} When there is no way to it.
 * @throws The signal's reason when it aborts.
 */
export async function openWebSocket(url: string, options: WebSocketOptions): Promise<Socket> {
  const { dialler, signal } = options;
  const { line, forward } = await dialler.open(new URL(url.replace(/^http/, "ws")), { signal });
  const timeout = Promise.withResolvers<never>();
  // Nobody may be waiting for it any more.
  timeout.promise.catch(() => {});
  const abort = () => timeout.reject(signal.reason);
  const timer = setTimeout(() => {
    timeout.reject(
      new AnswerError(`no answer within ${options.openTimeoutMs / 1000} s`, { kind: "timeout" }),
    );
  }, options.openTimeoutMs);
  signal.addEventListener("abort", abort, { once: true });
  try {
    signal.throwIfAborted();
    const reader = new LineReader(line);
    const request = { url: new URL(url), forward, headers: options.headers };
    await Promise.race([handshake(line, reader, request), timeout.promise]);
    return new LineSocket(line, reader);
  } catch (error) {
    line.close();
    signal.throwIfAborted();
    if (error instanceof AnswerError || error instanceof UpgradeRefused) throw error;
    throw new AnswerError("the connection was lost", { kind: "closed", cause: error });
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", abort);
  }
}

async function handshake(
  line: Line,
  reader: LineReader,
  request: Pick<WebSocketOptions, "headers"> & {
    url: URL;
    forward: { authorization?: string } | undefined;
  },
): Promise<void> {
  const key = crypto.getRandomValues(new Uint8Array(16)).toBase64();
  const head = requestHead({
    method: "GET",
    url: request.url,
    headers: [
      ...request.headers,
      ["connection", "Upgrade"],
      ["upgrade", "websocket"],
      ["sec-websocket-version", "13"],
      ["sec-websocket-key", key],
    ],
    ...(request.forward === undefined ? {} : { forward: request.forward }),
  });
  await writeAll(line, new TextEncoder().encode(head));
  const answer = await reader.readHead();
  if (answer.status !== 101) {
    const { text } = await readBody(reader, answer).catch(() => ({ text: "" }));
    throw new UpgradeRefused(answer.status, {
      text: text.slice(0, 1024),
      location: answer.headers.get("location"),
    });
  }
  if (answer.headers.get("sec-websocket-accept") !== await acceptOf(key)) {
    throw new AnswerError("the answer is no WebSocket's", { kind: "malformed" });
  }
}

async function acceptOf(key: string): Promise<string> {
  const bytes = new TextEncoder().encode(key + ACCEPT_SUFFIX);
  return new Uint8Array(await crypto.subtle.digest("SHA-1", bytes)).toBase64();
}

class LineSocket implements Socket {
  readonly #line: Line;
  readonly #reader: LineReader;
  readonly #decoder = new FrameDecoder({ limit: MESSAGE_LIMIT_BYTES });
  readonly #encoder = new TextEncoder();
  #events: Iterator<FrameEvent, void> | undefined;
  #lastSend: Promise<void> = Promise.resolve();
  #sending = 0;
  #pongWaits = false;
  #ending = "";
  #heardAtMs = performance.now();

  constructor(line: Line, reader: LineReader) {
    this.#line = line;
    this.#reader = reader;
  }

  get heardAtMs(): number {
    return this.#heardAtMs;
  }

  get ending(): string {
    return this.#ending;
  }

  async send(message: string | Uint8Array<ArrayBuffer>): Promise<void> {
    if (typeof message !== "string") return await this.#send(OPCODE.binary, message);
    await this.#send(OPCODE.text, this.#encoder.encode(message));
  }

  async ping(): Promise<void> {
    await this.#send(OPCODE.ping, new Uint8Array(0));
  }

  async receive(): Promise<string | Uint8Array<ArrayBuffer> | undefined> {
    try {
      while (this.#ending === "") {
        const next = this.#events?.next();
        if (next === undefined || next.done) {
          const bytes = await this.#reader.read();
          if (bytes === undefined) {
            this.#end("the panel closed the connection");
            break;
          }
          this.#heardAtMs = performance.now();
          this.#events = this.#decoder.take(bytes);
          continue;
        }
        const event = next.value;
        if (event.kind === "text") return event.text;
        if (event.kind === "binary") return event.bytes;
        this.#control(event);
      }
    } catch (error) {
      this.#end(endingOf(error));
    }
    return undefined;
  }

  close(): void {
    this.#hangUp("it was closed here", Uint8Array.of(0x03, 0xE8));
  }

  #control(event: FrameEvent): void {
    if (event.kind === "close") {
      const code = event.code === undefined ? "" : ` (${event.code})`;
      this.#hangUp(`the panel ended the connection${code}`, new Uint8Array(0));
    } else if (event.kind === "ping" && !this.#pongWaits) {
      // One answer is enough, however many ask before it is out.
      this.#pongWaits = true;
      this.#send(OPCODE.pong, event.bytes).catch(() => {}).then(() => this.#pongWaits = false);
    }
  }

  /** Sends one frame after another, each in one piece. */
  async #send(opcode: number, payload: Uint8Array<ArrayBuffer>): Promise<void> {
    if (this.#ending !== "") throw new Error(`Cannot send: ${this.#ending}`);
    const frame = new Uint8Array(LONGEST_HEAD_BYTES + payload.length);
    frame.set(payload, LONGEST_HEAD_BYTES);
    const bytes = encodeFrame(frame, opcode);
    const sent = this.#lastSend.then(() => writeAll(this.#line, bytes));
    this.#sending++;
    this.#lastSend = sent.catch((error) => this.#end(endingOf(error))).then(() => {
      this.#sending--;
    });
    await sent;
  }

  /** Says farewell if that is possible at once; nobody waits for an answer. */
  #hangUp(why: string, payload: Uint8Array<ArrayBuffer>): void {
    if (this.#ending !== "") return;
    if (this.#sending > 0) return this.#end(why);
    const sent = this.#send(OPCODE.close, payload);
    this.#ending = why;
    sent.catch(() => {}).then(() => this.#line.close());
  }

  #end(why: string): void {
    if (this.#ending !== "") return;
    this.#ending = why;
    this.#line.close();
  }
}

function endingOf(error: unknown): string {
  if (error instanceof RangeError) return "the panel sent a message that is too long";
  if (error instanceof SyntaxError) return "the panel sent what is no WebSocket message";
  return "the connection was lost";
}
