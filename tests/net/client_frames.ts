/** A client's frame, as a server reads it. */
export interface ClientFrame {
  readonly final: boolean;
  readonly opcode: number;
  readonly masked: boolean;
  readonly mask: readonly number[];
  readonly payload: Uint8Array<ArrayBuffer>;
}

/** Reads whole frames, as simply as it can be done. */
export function clientFrames(bytes: Uint8Array): ClientFrame[] {
  const frames: ClientFrame[] = [];
  for (let at = 0; at < bytes.length;) {
    const view = new DataView(bytes.buffer, bytes.byteOffset + at, bytes.length - at);
    const first = view.getUint8(0);
    const second = view.getUint8(1);
    const short = second & 127;
    const head = (short === 127 ? 10 : short === 126 ? 4 : 2) + 4;
    const length = short === 127
      ? Number(view.getBigUint64(2))
      : short === 126
      ? view.getUint16(2)
      : short;
    const mask = [...bytes.subarray(at + head - 4, at + head)];
    const payload = Uint8Array.from(
      bytes.subarray(at + head, at + head + length),
      (byte, index) => byte ^ (mask[index % 4] ?? 0),
    );
    frames.push({ final: first >= 128, opcode: first & 127, masked: second >= 128, mask, payload });
    at += head + length;
  }
  return frames;
}
