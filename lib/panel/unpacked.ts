import { BoundedBytes } from "../parse/bounded_bytes.ts";

/** A piece of so many bytes can't become more than half a MiB. */
const PIECE_BYTES = 512;

/**
 * Bytes that were packed by `gzip` or `deflate`; `undefined` when there are more than `limit`.
 *
 * They are unpacked a small piece at a time, since the runtime unpacks all that it is given before
 * anybody can look: a MiB would become a GiB.
 *
 * @throws {TypeError} When they are not packed that way.
 */
export async function unpacked(
  bytes: Uint8Array<ArrayBuffer>,
  options: { encoding: "gzip" | "deflate"; limit: number },
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const whole = new BoundedBytes(options.limit);
  const stream = ReadableStream.from(pieces(bytes))
    .pipeThrough(new DecompressionStream(options.encoding));
  for await (const part of stream) {
    if (!whole.add(part)) return undefined;
  }
  return whole.bytes;
}

function* pieces(bytes: Uint8Array<ArrayBuffer>): Generator<Uint8Array<ArrayBuffer>> {
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
    yield bytes.subarray(at, at + PIECE_BYTES);
  }
}
