/** A server's frame, well-formed or not. */
export function serverFrame(
  opcode: number,
  payload: string | Uint8Array = "",
  options: { final?: boolean; reserved?: number; masked?: boolean; declared?: bigint } = {},
): Uint8Array<ArrayBuffer> {
  const { final = true, reserved = 0, masked = false } = options;
  const bytes = typeof payload === "string" ? new TextEncoder().encode(payload) : payload;
  const length = options.declared ?? BigInt(bytes.length);
  const frame = new Uint8Array(10 + bytes.length);
  const view = new DataView(frame.buffer);
  const head = length < 126n ? 2 : length < 65_536n ? 4 : 10;
  view.setUint8(0, (final ? 128 : 0) | reserved | opcode);
  view.setUint8(1, (masked ? 128 : 0) | (head === 2 ? Number(length) : head === 4 ? 126 : 127));
  if (head === 4) view.setUint16(2, Number(length));
  if (head === 10) view.setBigUint64(2, length);
  frame.set(bytes, head);
  return frame.slice(0, head + bytes.length);
}

/** Bytes in a row. */
export function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}
