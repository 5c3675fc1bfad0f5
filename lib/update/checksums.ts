/**
 * The signed list of a release's checksums, and its signature.
 *
 * @module
 */

import { attempt } from "../attempt.ts";
import { isHtml } from "../diagnosis/page.ts";
import type { Downloads } from "./download.ts";
import { stableVersionOf } from "../parse/version_order.ts";

/**
 * The SHA-256 of a file in a list by `sha256sum`, in lower-case hex; `undefined` when the file is
 * missing, or listed twice with different sums.
 */
export function findSha256(sums: string, name: string): string | undefined {
  const found = new Set<string>();
  for (const line of sums.split(/\r?\n/)) {
    const [, sum, file] = /^([0-9a-f]{64}) [ *](.+)$/i.exec(line) ?? [];
    if (sum !== undefined && file === name) found.add(sum.toLowerCase());
  }
  return found.size === 1 ? [...found][0] : undefined;
}

/**
 * The version that a signed list of checksums is of, by its line `#version=1.2.3`; `undefined` in
 * older lists. Tools that check the list take the line for a comment.
 */
export function signedVersion(sums: string): string | undefined {
  const [, version] = /^#version=(.+?)\r?$/m.exec(sums) ?? [];
  return version === undefined ? undefined : stableVersionOf(version) ?? version;
}

/**
 * The size of a file in bytes that a signed list of checksums states by its line `#size=BYTES:NAME`;
 * `undefined` where it states none.
 */
export function signedSize(sums: string, name: string): number | undefined {
  for (const [, bytes, file] of sums.matchAll(/^#size=(\d{1,12}):(.+?)\r?$/gm)) {
    if (file === name) return Number(bytes);
  }
  return undefined;
}

/** The list of checksums among a release's files. */
export const SUMS = "SHA256SUMS";
const MAX_SUMS_BYTES = 64 * 1024;

/**
 * Downloads a list of checksums, and verifies its signature.
 *
 * @param urlOf The address of a file of the release, by its name.
 * @throws {Error} When it can't be downloaded, is a page of HTML, or is not signed with the key.
 */
export async function downloadSums(
  urlOf: (name: string) => string,
  { publicKey, downloads, signal }: {
    publicKey: string;
    downloads: Downloads;
    signal: AbortSignal;
  },
): Promise<string> {
  const urls = [urlOf(SUMS), urlOf(SIGNATURE)] as const;
  const sums = await downloads.text(urls[0], { maxBytes: MAX_SUMS_BYTES, signal });
  if (isHtml(sums)) {
    throw new Error(
      "Cannot update: the server answers a page of HTML \u2192 correct --mirror or --update-url",
    );
  }
  const signature = await downloads.text(urls[1], { maxBytes: MAX_SIGNATURE_BYTES, signal });
  if (!await isSignedBy(sums, { signature, publicKey })) {
    throw new Error(`Cannot update: ${SUMS} is not signed with the key of this project's releases`);
  }
  return sums;
}

/** The signature of `SHA256SUMS` among a release's files: Ed25519, 64 bytes in Base64. */
export const SIGNATURE = "SHA256SUMS.sig";

/** A signature in Base64 with a line feed. */
const MAX_SIGNATURE_BYTES = 128;

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
