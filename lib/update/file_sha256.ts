/**
 * The SHA-256 of a file, in small hexadecimal digits; a part of it is in memory at a time.
 *
 * @throws {Error} When it can't be read.
 */
export async function fileSha256(path: string): Promise<string> {
  const { createHash } = await import("node:crypto");
  const hash = createHash("sha256");
  using file = await Deno.open(path);
  const part = new Uint8Array(64 * 1024);
  for (let count; (count = await file.read(part)) !== null;) hash.update(part.subarray(0, count));
  return hash.digest("hex");
}
