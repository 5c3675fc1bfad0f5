import { type Abridged, AbridgedBytes } from "../io/abridged_bytes.ts";
import { BoundedBytes } from "../io/bounded_bytes.ts";

/** Opcodes of frames (RFC 6455, section 5.2). */
export const OPCODE = {
  continuation: 0x0,
  text: 0x1,
  binary: 0x2,
  close: 0x8,
  ping: 0x9,
  pong: 0xA,
} as const;

const CONTROL_LIMIT = 125;

/** A complete message or control frame from the server; before it, each of its frames. */
export type FrameEvent =
  | { readonly kind: "frame"; readonly payloadBytes: number }
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "binary"; readonly bytes: Uint8Array<ArrayBuffer> }
  /** A message that is longer than the limit. */
  | { readonly kind: "skipped"; readonly message: Abridged }
  | { readonly kind: "ping"; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly kind: "pong"; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly kind: "close"; readonly code?: number; readonly reason: string };

/** A frame whose header is complete. */
interface Frame {
  readonly final: boolean;
  readonly opcode: number;
  /** Bytes of its payload that are still missing. */
  rest: number;
}

/**
 * Decodes a server's frames, however their bytes are split. Extensions are not supported.
 */
export class FrameDecoder {
  readonly #skipLimit: number;
  readonly #text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  /** The bytes of the current header. */
  readonly #head = new DataView(new ArrayBuffer(10));
  #headLength = 0;
  #frame: Frame | undefined;
  readonly #control = new BoundedBytes(CONTROL_LIMIT);
  readonly #message: AbridgedBytes;
  /** The opcode of the message that has begun. */
  #messageOpcode: number | undefined;

  /**
   * @param options `limit`: of longer messages only the ends are kept; `skipLimit`: even longer ones are
   * refused as soon as a header announces them, as long as `limit` by default. In bytes.
   */
  constructor({ limit, skipLimit = limit }: { limit: number; skipLimit?: number | undefined }) {
    this.#skipLimit = skipLimit;
    this.#message = new AbridgedBytes(limit);
  }

  /**
   * Decodes bytes and yields what is complete; the bytes may be reused after the last event.
   *
   * @throws {SyntaxError} When a frame is invalid; the decoder can't be used any more then.
   * @throws {RangeError} When a message is too long.
   */
  *decode(bytes: Uint8Array<ArrayBuffer>): Generator<FrameEvent, void> {
    for (let at = 0;;) {
      while (this.#frame === undefined) {
        const byte = bytes[at++];
        if (byte === undefined) return;
        this.#head.setUint8(this.#headLength++, byte);
        this.#frame = this.#readHead();
        if (this.#frame !== undefined) yield { kind: "frame", payloadBytes: this.#frame.rest };
      }
      const frame = this.#frame;
      const part = bytes.subarray(at, at + frame.rest);
      if (frame.opcode >= OPCODE.close) this.#control.add(part);
      else this.#message.add(part);
      at += part.length;
      frame.rest -= part.length;
      if (frame.rest > 0) return;
      this.#frame = undefined;
      const event = frame.opcode >= OPCODE.close ? this.#takeControl(frame) : this.#takeData(frame);
      if (event !== undefined) yield event;
    }
  }

  #readHead(): Frame | undefined {
    if (this.#headLength < 2) return undefined;
    const first = this.#head.getUint8(0);
    const second = this.#head.getUint8(1);
    const opcode = first & 0x0F;
    const final = first >= 0x80;
    const short = second & 0x7F;
    if ((first & 0x70) !== 0) throw invalidFrame("it uses an extension that was not agreed on");
    if (second >= 0x80) throw invalidFrame("frames of a server must not be masked");
    if (opcode >= OPCODE.close) {
      if (opcode > OPCODE.pong) throw invalidFrame(`its opcode ${opcode} is unknown`);
      if (!final) throw invalidFrame("a control frame has no fragments");
      if (short > CONTROL_LIMIT) throw invalidFrame("a control frame is too long");
    } else {
      if (opcode > OPCODE.binary) throw invalidFrame(`its opcode ${opcode} is unknown`);
      if ((opcode === OPCODE.continuation) !== (this.#messageOpcode !== undefined)) {
        throw invalidFrame("its fragments are out of order");
      }
    }
    if (this.#headLength < (short === 127 ? 10 : short === 126 ? 4 : 2)) return undefined;
    this.#headLength = 0;
    const rest = short === 127
      ? Number(this.#head.getBigUint64(2))
      : short === 126
      ? this.#head.getUint16(2)
      : short;
    if (opcode < OPCODE.close && this.#message.length + rest > this.#skipLimit) {
      throw new RangeError(`Cannot read a message of more than ${this.#skipLimit} bytes`);
    }
    return { final, opcode, rest };
  }

  #takeControl({ opcode }: Frame): FrameEvent {
    const bytes = this.#control.bytes.slice();
    this.#control.clear();
    if (opcode === OPCODE.ping) return { kind: "ping", bytes };
    if (opcode === OPCODE.pong) return { kind: "pong", bytes };
    const [high, low] = bytes;
    if (high === undefined) return { kind: "close", reason: "" };
    if (low === undefined) throw invalidFrame("the close code is incomplete");
    return { kind: "close", code: high * 256 + low, reason: this.#decode(bytes.subarray(2)) };
  }

  #takeData({ opcode, final }: Frame): FrameEvent | undefined {
    this.#messageOpcode ??= opcode;
    if (!final) return undefined;
    const isText = this.#messageOpcode === OPCODE.text;
    this.#messageOpcode = undefined;
    const { bytes, abridged } = this.#message;
    const event: FrameEvent = abridged !== undefined
      ? { kind: "skipped", message: abridged }
      : isText
      ? { kind: "text", text: this.#decode(bytes) }
      : { kind: "binary", bytes: bytes.slice() };
    this.#message.clear();
    return event;
  }

  #decode(bytes: Uint8Array<ArrayBuffer>): string {
    try {
      return this.#text.decode(bytes);
    } catch (cause) {
      throw new SyntaxError("Cannot read a message: its text is not UTF-8", { cause });
    }
  }
}

function invalidFrame(why: string): SyntaxError {
  return new SyntaxError(`Cannot read a frame: ${why}`);
}

/** The longest header has 14 bytes; two more align mask and payload to 32-bit words. */
const PAYLOAD_AT = 16;
const MASK_WORD = 3;

const SMALL_BYTES = 4096;
const MASKS_AT_A_TIME = 64;

/**
 * Encodes a client's frames, masked as RFC 6455 demands.
 */
export class FrameEncoder {
  readonly #encoder = new TextEncoder();
  /** Reused for small frames, which are nearly all. */
  readonly #small = new Uint8Array(SMALL_BYTES);
  readonly #smallWords = new Uint32Array(this.#small.buffer);
  readonly #smallPayload = this.#small.subarray(PAYLOAD_AT);
  /** Masks are drawn many at a time. */
  readonly #masks = new Uint32Array(MASKS_AT_A_TIME);
  #masksUsed = MASKS_AT_A_TIME;

  /** Encodes a message, or a control frame of at most 125 bytes: a view, valid until the next call. */
  encode(opcode: number, payload: string | Uint8Array): Uint8Array<ArrayBuffer> {
    if (typeof payload !== "string") {
      if (payload.length > this.#smallPayload.length) return this.#big(opcode, payload);
      this.#smallPayload.set(payload);
      return this.#finish(this.#small, {
        words: this.#smallWords,
        opcode,
        length: payload.length,
      });
    }
    const { read, written } = this.#encoder.encodeInto(payload, this.#smallPayload);
    if (read < payload.length) return this.#big(opcode, this.#encoder.encode(payload));
    return this.#finish(this.#small, { words: this.#smallWords, opcode, length: written });
  }

  #big(opcode: number, payload: Uint8Array): Uint8Array<ArrayBuffer> {
    const { length } = payload;
    const words = new Uint32Array(Math.ceil((PAYLOAD_AT + length) / 4));
    const frame = new Uint8Array(words.buffer);
    frame.set(payload, PAYLOAD_AT);
    return this.#finish(frame, { words, opcode, length });
  }

  /** Writes header and mask in front of the payload, and masks it word by word. */
  #finish(
    frame: Uint8Array<ArrayBuffer>,
    parts: { words: Uint32Array<ArrayBuffer>; opcode: number; length: number },
  ): Uint8Array<ArrayBuffer> {
    const { words, opcode, length } = parts;
    const extended = length <= 125 ? 0 : length <= 0xFFFF ? 2 : 8;
    const start = PAYLOAD_AT - 4 - extended - 2;
    frame[start] = 0x80 | opcode;
    frame[start + 1] = 0x80 | (extended === 0 ? length : extended === 2 ? 126 : 127);
    let rest = length;
    for (let at = start + 1 + extended; at > start + 1; at--) {
      frame[at] = rest % 256;
      rest = Math.floor(rest / 256);
    }
    const mask = this.#drawMask();
    words[MASK_WORD] = mask;
    const end = Math.ceil((PAYLOAD_AT + length) / 4);
    // The bytes behind the payload in its last word are masked too, but not sent.
    for (let at = MASK_WORD + 1; at < end; at++) words[at] = (words[at] ?? 0) ^ mask;
    return frame.subarray(start, PAYLOAD_AT + length);
  }

  #drawMask(): number {
    if (this.#masksUsed === MASKS_AT_A_TIME) {
      crypto.getRandomValues(this.#masks);
      this.#masksUsed = 0;
    }
    return this.#masks[this.#masksUsed++] ?? 0;
  }
}
