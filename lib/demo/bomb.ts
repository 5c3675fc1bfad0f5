/**
 * 512 MiB of zeros in half a MiB.
 *
 * @module
 */

const PART_BYTES = 1024 * 1024;
const PARTS = 512;
/** The CRC-32 of 512 MiB of zeros, counted once. */
const CRC = 0x6db88320;

/** As a file of gzip. */
export async function gzipBomb(): Promise<Uint8Array<ArrayBuffer>> {
  const head = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
  const tail = new DataView(new ArrayBuffer(8));
  tail.setUint32(0, CRC, true);
  tail.setUint32(4, PARTS * PART_BYTES, true);
  // An empty last block ends the stream.
  return await joined([Uint8Array.from(head), await zeros(), Uint8Array.of(3, 0), tail]);
}

/**
 * As a whole frame from a server to a client: a text with the bit of permessage-deflate.
 */
export async function bombFrame(): Promise<Uint8Array<ArrayBuffer>> {
  const payload = await zeros();
  const head = new DataView(new ArrayBuffer(10));
  head.setUint8(0, 0xc1);
  head.setUint8(1, 127);
  head.setUint32(6, payload.length);
  return await joined([head, payload]);
}

/** Zeros as deflate packs them; each part ends on a byte, so one serves for all. */
async function zeros(): Promise<Uint8Array<ArrayBuffer>> {
  const { constants, deflateRawSync } = await import("node:zlib");
  const options = { level: 9, finishFlush: constants.Z_FULL_FLUSH };
  const part = new Uint8Array(deflateRawSync(new Uint8Array(PART_BYTES), options));
  return await joined(Array.from({ length: PARTS }, () => part));
}

async function joined(parts: (ArrayBufferView<ArrayBuffer>)[]): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}
