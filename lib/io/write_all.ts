/** Writes all bytes, however many single writes that takes. */
export async function writeAll<B extends ArrayBufferLike>(
  to: { write(bytes: Uint8Array<B>): Promise<number> },
  bytes: Uint8Array<B>,
): Promise<void> {
  for (let sent = 0; sent < bytes.length;) sent += await to.write(bytes.subarray(sent));
}

/** Writes all bytes without giving up the thread. */
export function writeAllSync(
  to: { writeSync(bytes: Uint8Array): number },
  bytes: Uint8Array,
): void {
  for (let sent = 0; sent < bytes.length;) sent += to.writeSync(bytes.subarray(sent));
}
