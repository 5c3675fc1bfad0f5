import { BoundedBytes } from "../parse/bounded_bytes.ts";

/** A piece of so many bytes can't become more than 64 KiB. */
const PIECE_BYTES = 64;

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
): Promise<BoundedBytes | undefined> {
  const whole = new BoundedBytes(options.limit);
  const stream = ReadableStream.from(pieces(bytes))
    .pipeThrough(new DecompressionStream(options.encoding));
  for await (const part of stream) {
    const fits = whole.add(part);
    // Many of them come in no time, and would wait for the engine to collect them.
    part.buffer.transfer(0);
    if (!fits) {
      whole.clear();
      return undefined;
    }
  }
  return whole;
}

function* pieces(bytes: Uint8Array<ArrayBuffer>): Generator<Uint8Array<ArrayBuffer>> {
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
    yield bytes.subarray(at, at + PIECE_BYTES);
  }
}
