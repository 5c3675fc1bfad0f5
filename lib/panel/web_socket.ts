import { AnswerError, UpgradeRefused } from "../net/errors.ts";
import type { Dialler, Line } from "../line/line.ts";
import { writeAll } from "../line/pass.ts";
import { BoundedBytes } from "../parse/bounded_bytes.ts";
import type { ResponseHead } from "../parse/http_head.ts";
import { readBodyInto } from "./answer_body.ts";
import { LineReader } from "./line_reader.ts";
import { LineSocket } from "./line_socket.ts";
import { requestBytes } from "./request_bytes.ts";
import type { Socket } from "./socket.ts";

/** Enough of a refusal to tell a page from a panel's words. */
const REFUSAL_BYTES = 1024;
/** What a server and a client have to prove that they mean a WebSocket (RFC 6455). */
const ACCEPT_SUFFIX = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** How to open a WebSocket. */
export interface WebSocketOptions {
  readonly dialler: Dialler;
  readonly headers: readonly (readonly [string, string])[];
  /** Ends the opening, not what has been opened. */
  readonly signal: AbortSignal;
  /** How long the server may take to answer, once there is a line to it. */
  readonly openTimeoutMs: number;
}

/**
 * Opens a WebSocket by a URL of HTTP or of WebSockets.
 *
 * Own code, since the runtime's takes messages of 64 MiB, sends no pings, hides the status of a
 * refusal, and knows fewer ways through proxies and name servers. Compression is not offered: it
 * costs more than it saves here, and opens the door to bombs.
 *
 * @throws {UpgradeRefused} When the server answers something else.
 * @throws {AnswerError} When it answers nothing sane, or (`timeout`) nothing in time.
 * @throws {LineError} When there is no way to it.
 * @throws {TypeError} When a header can't be sent.
 * @throws The signal's reason when it aborts.
 */
export async function openWebSocket(
  url: string | URL,
  options: WebSocketOptions,
): Promise<Socket> {
  const { dialler, signal, openTimeoutMs } = options;
  const address = new URL(String(url).replace(/^http/, "ws"));
  const { line, forward } = await dialler.open(address, { signal });
  const ended = Promise.withResolvers<never>();
  // Nobody may be waiting for it any more.
  ended.promise.catch(() => {});
  const abort = () => ended.reject(signal.reason);
  const timer = setTimeout(() => {
    const message = `no answer within ${openTimeoutMs / 1000} s`;
    ended.reject(new AnswerError(message, { kind: "timeout" }));
  }, openTimeoutMs);
  signal.addEventListener("abort", abort, { once: true });
  try {
    signal.throwIfAborted();
    const reader = new LineReader(line);
    const key = crypto.getRandomValues(new Uint8Array(16)).toBase64();
    const request = requestBytes({
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
    const head = await Promise.race([ask(request, { line, reader }), ended.promise]);
    if (head.status !== 101) throw await refusal({ reader, head }, ended.promise);
    if (!isAgreed(head, await acceptOf(key))) {
      throw new AnswerError("the answer is no WebSocket's", { kind: "malformed" });
    }
    signal.throwIfAborted();
    return new LineSocket(line, reader);
  } catch (error) {
    line.close();
    signal.throwIfAborted();
    const isKnown = [AnswerError, UpgradeRefused, TypeError].some((kind) => error instanceof kind);
    if (isKnown) throw error;
    throw new AnswerError("the connection was lost", { kind: "closed", cause: error });
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", abort);
  }
}

async function ask(
  request: Uint8Array<ArrayBuffer>,
  { line, reader }: { line: Line; reader: LineReader },
): Promise<ResponseHead> {
  await writeAll(line, request);
  return await reader.readHead();
}

/** The status counts, whatever becomes of the body. */
async function refusal(
  answer: { reader: LineReader; head: ResponseHead },
  ended: Promise<never>,
): Promise<UpgradeRefused> {
  const { status, headers } = answer.head;
  const start = new BoundedBytes(REFUSAL_BYTES);
  await Promise.race([readBodyInto(start, answer), ended]).catch(() => {});
  // A letter may be cut in two at the end.
  const text = new TextDecoder().decode(start.bytes, { stream: true });
  return new UpgradeRefused(status, { text, location: headers.get("location") });
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
