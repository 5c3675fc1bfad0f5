import { attempt } from "../attempt.ts";

/** The signature of `SHA256SUMS` among a release's files: Ed25519, 64 bytes in Base64. */
export const SIGNATURE = "SHA256SUMS.sig";

/** A signature in Base64 with a line feed. */
export const MAX_SIGNATURE_BYTES = 128;

/**
 * Whether a text was signed with the private key of `publicKey`.
 *
 * @param options.publicKey An Ed25519 key as `SubjectPublicKeyInfo` in Base64, as `openssl` has it.
 * @throws {Error} When the key is invalid.
 */
export async function isSignedBy(
  text: string,
  { signature, publicKey }: { signature: string; publicKey: string },
): Promise<boolean> {
  const key = await importPublicKey(publicKey);
  const bytes = attempt(() => Uint8Array.fromBase64(signature));
  if (bytes === undefined) return false;
  return await crypto.subtle.verify("Ed25519", key, bytes, new TextEncoder().encode(text));
}

async function importPublicKey(publicKey: string): Promise<CryptoKey> {
  try {
    const bytes = Uint8Array.fromBase64(publicKey);
    return await crypto.subtle.importKey("spki", bytes, "Ed25519", false, ["verify"]);
  } catch (cause) {
    throw new Error("Cannot verify releases: the public key is invalid", { cause });
  }
}
