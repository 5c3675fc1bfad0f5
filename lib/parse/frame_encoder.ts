/** The longest head has 14 bytes; two more put mask and payload on the bounds of words. */
const PAYLOAD_AT = 16;
const MASK_WORD = 3;

const SMALL_BYTES = 4096;

/**
 * Makes a client's frames, masked.
 *
 * Own code, as all of WebSockets here: the runtime's can neither bound a message nor ping.
 */
export class FrameEncoder {
  readonly #encoder = new TextEncoder();
  /** Small frames, which is nearly all, need no memory of their own. */
  readonly #small = new Uint8Array(SMALL_BYTES);
  readonly #smallWords = new Uint32Array(this.#small.buffer);
  readonly #smallPayload = this.#small.subarray(PAYLOAD_AT);

  /** A whole message, or a control frame of at most 125 bytes: a view, good until the next call. */
  encode(opcode: number, payload: string | Uint8Array): Uint8Array<ArrayBuffer> {
    if (typeof payload !== "string") {
      if (payload.length > this.#smallPayload.length) return this.#big(opcode, payload);
      this.#smallPayload.set(payload);
      return finish(this.#small, { words: this.#smallWords, opcode, length: payload.length });
    }
    const { read, written } = this.#encoder.encodeInto(payload, this.#smallPayload);
    if (read < payload.length) return this.#big(opcode, this.#encoder.encode(payload));
    return finish(this.#small, { words: this.#smallWords, opcode, length: written });
  }

  #big(opcode: number, payload: Uint8Array): Uint8Array<ArrayBuffer> {
    const { length } = payload;
    const words = new Uint32Array(Math.ceil((PAYLOAD_AT + length) / 4));
    const frame = new Uint8Array(words.buffer);
    frame.set(payload, PAYLOAD_AT);
    return finish(frame, { words, opcode, length });
  }
}

/** Puts head and mask before the payload, and masks it, a word at a time. */
function finish(
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
  crypto.getRandomValues(words.subarray(MASK_WORD, MASK_WORD + 1));
  const mask = words[MASK_WORD] ?? 0;
  const end = Math.ceil((PAYLOAD_AT + length) / 4);
  // What lies behind the payload in its last word is masked too, and not sent.
  for (let at = MASK_WORD + 1; at < end; at++) words[at] = (words[at] ?? 0) ^ mask;
  return frame.subarray(start, PAYLOAD_AT + length);
}
