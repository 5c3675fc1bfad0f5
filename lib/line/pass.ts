/** At most so much is on its way. */
const BUFFER_BYTES = 16 * 1024;

/** Passes on all that one connection says to another, until it has said all. */
export async function pass(from: Deno.TcpConn, to: Deno.TcpConn): Promise<void> {
  const buffer = new Uint8Array(BUFFER_BYTES);
  for (let count; (count = await from.read(buffer)) !== null;) {
    await writeAll(to, buffer.subarray(0, count));
  }
}

/** Writes bytes to their last; one write may take a part only. */
export async function writeAll<B extends ArrayBufferLike>(
  to: { write(bytes: Uint8Array<B>): Promise<number> },
  bytes: Uint8Array<B>,
): Promise<void> {
  for (let sent = 0; sent < bytes.length;) sent += await to.write(bytes.subarray(sent));
}
