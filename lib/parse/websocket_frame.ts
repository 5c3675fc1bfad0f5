/** What a frame holds. */
export const OPCODE = {
  continuation: 0x0,
  text: 0x1,
  binary: 0x2,
  close: 0x8,
  ping: 0x9,
  pong: 0xA,
} as const;

/** The longest head of a frame that a client sends. */
export const LONGEST_HEAD_BYTES = 14;

const CONTROL_LIMIT = 125;
const BIG = 65_535;

/**
 * Writes the head of a client's frame and masks the payload behind it in place: `frame` holds
 * {@linkcode LONGEST_HEAD_BYTES} free bytes, then the payload. Gives the part that goes out.
 */
export function encodeFrame(
  frame: Uint8Array<ArrayBuffer>,
  opcode: number,
): Uint8Array<ArrayBuffer> {
  const length = frame.length - LONGEST_HEAD_BYTES;
  const extended = length <= CONTROL_LIMIT ? 0 : length <= BIG ? 2 : 8;
  const start = LONGEST_HEAD_BYTES - (2 + extended + 4);
  const view = new DataView(frame.buffer, frame.byteOffset + start);
  view.setUint8(0, 0x80 | opcode);
  view.setUint8(1, 0x80 | (extended === 0 ? length : extended === 2 ? 126 : 127));
  if (extended === 2) view.setUint16(2, length);
  if (extended === 8) view.setBigUint64(2, BigInt(length));
  const maskAt = LONGEST_HEAD_BYTES - 4;
  const mask = crypto.getRandomValues(frame.subarray(maskAt, LONGEST_HEAD_BYTES));
  for (let at = 0; at < length; at++) {
    frame[LONGEST_HEAD_BYTES + at] = (frame[LONGEST_HEAD_BYTES + at] ?? 0) ^ (mask[at & 3] ?? 0);
  }
  return frame.subarray(start);
}

/** What a server has sent. */
export type FrameEvent =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "binary"; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly kind: "ping"; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly kind: "pong" }
  | { readonly kind: "close"; readonly code?: number };

interface Head {
  readonly final: boolean;
  readonly opcode: number;
  readonly length: number;
}

/** Takes a server's frames apart, however their bytes are split. */
export class FrameDecoder {
  readonly #limit: number;
  readonly #text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  /** What has come of a head. */
  readonly #headBytes = new Uint8Array(10);
  #headLength = 0;
  #head: Head | undefined;
  #payload = new Uint8Array(0);
  #filled = 0;
  /** The parts of a message in fragments so far. */
  #parts: Uint8Array<ArrayBuffer>[] = [];
  #partsLength = 0;
  #messageOpcode: number | undefined;

  /** A message of more bytes than `limit` is refused as soon as that is known. */
  constructor(options: { limit: number }) {
    this.#limit = options.limit;
  }

  /**
   * Takes bytes as they come, and gives what is complete.
   *
   * @throws {SyntaxError} When a server may not send this; nothing can be made of the rest then.
   * @throws {RangeError} When a message is too long.
   */
  *take(bytes: Uint8Array<ArrayBuffer>): Generator<FrameEvent, void> {
    let at = 0;
    while (at < bytes.length || this.#isFull()) {
      if (this.#head === undefined) {
        at = this.#takeHead(bytes, at);
        if (this.#head === undefined) return;
      }
      const part = bytes.subarray(at, at + this.#payload.length - this.#filled);
      this.#payload.set(part, this.#filled);
      this.#filled += part.length;
      at += part.length;
      if (!this.#isFull()) return;
      const event = this.#takeFrame();
      if (event !== undefined) yield event;
    }
  }

  #isFull(): boolean {
    return this.#head !== undefined && this.#filled === this.#payload.length;
  }

  #takeHead(bytes: Uint8Array<ArrayBuffer>, from: number): number {
    let at = from;
    while (at < bytes.length) {
      this.#headBytes[this.#headLength++] = bytes[at++] ?? 0;
      const head = this.#readHead();
      if (head === undefined) continue;
      this.#head = head;
      this.#headLength = 0;
      this.#filled = 0;
      this.#payload = new Uint8Array(head.length);
      break;
    }
    return at;
  }

  #readHead(): Head | undefined {
    if (this.#headLength < 2) return undefined;
    const [first = 0, second = 0] = this.#headBytes;
    const opcode = first & 0x0F;
    const final = (first & 0x80) !== 0;
    const short = second & 0x7F;
    if ((first & 0x70) !== 0) throw refusal("it uses an extension that was not agreed on");
    if ((second & 0x80) !== 0) throw refusal("a server's frames have no mask");
    const isControl = opcode >= OPCODE.close;
    if (opcode > OPCODE.pong || (opcode > OPCODE.binary && !isControl)) {
      throw refusal(`it is of unknown kind ${opcode}`);
    }
    if (isControl && (!final || short > CONTROL_LIMIT)) {
      throw refusal("a control frame is too long");
    }
    const extended = short === 126 ? 2 : short === 127 ? 8 : 0;
    if (this.#headLength < 2 + extended) return undefined;
    const view = new DataView(this.#headBytes.buffer);
    const length = extended === 0
      ? short
      : extended === 2
      ? view.getUint16(2)
      : Number(view.getBigUint64(2));
    if (!isControl && this.#partsLength + length > this.#limit) {
      throw new RangeError(`Cannot take a message of more than ${this.#limit} bytes`);
    }
    return { final, opcode, length };
  }

  #takeFrame(): FrameEvent | undefined {
    const { opcode = 0, final = true } = this.#head ?? {};
    const payload = this.#payload;
    this.#head = undefined;
    switch (opcode) {
      case OPCODE.ping:
        return { kind: "ping", bytes: payload };
      case OPCODE.pong:
        return { kind: "pong" };
      case OPCODE.close: {
        const code = payload.length < 2 ? undefined : new DataView(payload.buffer).getUint16(0);
        return code === undefined ? { kind: "close" } : { kind: "close", code };
      }
    }
    if ((opcode === OPCODE.continuation) !== (this.#messageOpcode !== undefined)) {
      throw refusal("its fragments are out of order");
    }
    this.#messageOpcode ??= opcode;
    this.#parts.push(payload);
    this.#partsLength += payload.length;
    if (!final) {
      // Many fragments without a byte would cost memory that no limit on bytes bounds.
      if (this.#parts.length > 1024) this.#parts = [joined(this.#parts, this.#partsLength)];
      return undefined;
    }
    return this.#takeMessage();
  }

  #takeMessage(): FrameEvent {
    const [only] = this.#parts;
    const bytes = this.#parts.length === 1 && only !== undefined
      ? only
      : joined(this.#parts, this.#partsLength);
    const isText = this.#messageOpcode === OPCODE.text;
    this.#parts = [];
    this.#partsLength = 0;
    this.#messageOpcode = undefined;
    if (!isText) return { kind: "binary", bytes };
    try {
      return { kind: "text", text: this.#text.decode(bytes) };
    } catch (cause) {
      throw new SyntaxError("Cannot take a message: its text is no UTF-8", { cause });
    }
  }
}

function joined(
  parts: readonly Uint8Array<ArrayBuffer>[],
  length: number,
): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function refusal(why: string): SyntaxError {
  return new SyntaxError(`Cannot take a frame: ${why}`);
}
