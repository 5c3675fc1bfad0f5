import type { Line } from "../line/line.ts";
import { writeAll } from "../line/pass.ts";
import { FrameEncoder } from "../parse/frame_encoder.ts";
import { FrameDecoder, type FrameEvent, OPCODE } from "../parse/websocket_frame.ts";
import type { LineReader } from "./line_reader.ts";
import type { Socket } from "./socket.ts";

/** No message of a panel is as long. */
const MESSAGE_LIMIT_BYTES = 1024 * 1024;

/** Codes that a close frame gives as its reason (RFC 6455). */
const CLOSED = { normal: 1000, broken: 1002, tooLong: 1009 } as const;

/**
 * A WebSocket over a line, after the handshake.
 *
 * Nothing is read but when somebody receives, so a flood of messages is slowed down by TCP, and
 * pings are answered only then.
 */
export class LineSocket implements Socket {
  readonly #line: Line;
  readonly #reader: LineReader;
  readonly #decoder = new FrameDecoder({ limit: MESSAGE_LIMIT_BYTES });
  readonly #encoder = new FrameEncoder();
  #events: Iterator<FrameEvent, void> | undefined;
  #lastWrite: Promise<void> = Promise.resolve();
  /** Frames that wait for the system to take them. */
  #waiting = 0;
  /** What the next pong has to say. */
  #pong: Uint8Array<ArrayBuffer> | undefined;
  #ending = "";
  #senseless = false;
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

  get senseless(): boolean {
    return this.#senseless;
  }

  send(message: string | Uint8Array<ArrayBuffer>): Promise<void> {
    const opcode = typeof message === "string" ? OPCODE.text : OPCODE.binary;
    return this.#inTurn(() => this.#write(opcode, message));
  }

  ping(): Promise<void> {
    return this.#inTurn(() => this.#write(OPCODE.ping, ""));
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
        if (event.kind === "ping") this.#answerPing(event.bytes);
        if (event.kind === "close") this.#hangUp(farewell(event), event.code);
      }
    } catch (error) {
      this.#senseless = error instanceof RangeError || error instanceof SyntaxError;
      if (error instanceof RangeError) {
        this.#hangUp("the panel sent a message that is too long", CLOSED.tooLong);
      } else if (error instanceof SyntaxError) {
        this.#hangUp("the panel sent what is no WebSocket message", CLOSED.broken);
      } else {
        this.#end("the connection was lost");
      }
    }
    return undefined;
  }

  close(): void {
    this.#hangUp("it was closed here", CLOSED.normal);
  }

  /** Only the latest ping is answered of those that come before a pong gets out. */
  #answerPing(payload: Uint8Array<ArrayBuffer>): void {
    const isUnderWay = this.#pong !== undefined;
    this.#pong = payload;
    if (isUnderWay) return;
    this.#inTurn(() => {
      const latest = this.#pong ?? payload;
      this.#pong = undefined;
      return this.#write(OPCODE.pong, latest);
    }).catch(() => {});
  }

  /** One frame goes out after another, each in one piece. */
  #inTurn(write: () => Promise<void>): Promise<void> {
    const written = this.#waiting === 0 ? write() : this.#lastWrite.then(write);
    const settle = () => void this.#waiting--;
    this.#waiting++;
    this.#lastWrite = written.then(settle, settle);
    return written;
  }

  async #write(opcode: number, payload: string | Uint8Array<ArrayBuffer>): Promise<void> {
    if (this.#ending === "") {
      try {
        return await writeAll(this.#line, this.#encoder.encode(opcode, payload));
      } catch {
        this.#end("the connection was lost");
      }
    }
    throw new Error(`Cannot send: ${this.#ending}`);
  }

  /** Says farewell if the system takes it at once; nobody waits for an answer. */
  #hangUp(why: string, code: number | undefined): void {
    if (this.#ending !== "") return;
    if (this.#waiting === 0) {
      const payload = code === undefined ? [] : [code >> 8, code & 0xFF];
      const frame = this.#encoder.encode(OPCODE.close, Uint8Array.from(payload));
      this.#line.write(frame).catch(() => {});
    }
    this.#end(why);
  }

  #end(why: string): void {
    if (this.#ending !== "") return;
    this.#ending = why;
    this.#line.close();
  }
}

function farewell({ code, reason }: FrameEvent & { kind: "close" }): string {
  const words = [code ?? "", reason && JSON.stringify(reason)].filter((word) => word !== "");
  return `the panel ended the connection${words.length === 0 ? "" : ` (${words.join(", ")})`}`;
}
