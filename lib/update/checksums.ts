/**
 * The signed list of a release's checksums.
 *
 * @module
 */

import type { Downloads } from "./download.ts";
import { isSignedBy, MAX_SIGNATURE_BYTES } from "./signature.ts";
import { stableVersionOf } from "./version_order.ts";

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

/** The list of checksums among a release's files. */
export const SUMS = "SHA256SUMS";
const MAX_SUMS_BYTES = 64 * 1024;

/**
 * Downloads a list of checksums, and verifies its signature.
 *
 * @param urls Of the list and of its signature.
 * @throws {Error} When it can't be downloaded, or is not signed with the key.
 */
export async function downloadSums(
  [sumsUrl, signatureUrl]: readonly [sums: string, signature: string],
  { publicKey, downloads, signal }: {
    publicKey: string;
    downloads: Downloads;
    signal: AbortSignal;
  },
): Promise<string> {
  const sums = await downloads.text(sumsUrl, { maxBytes: MAX_SUMS_BYTES, signal });
  const signature = await downloads.text(signatureUrl, { maxBytes: MAX_SIGNATURE_BYTES, signal });
  if (!await isSignedBy(sums, { signature, publicKey })) {
    throw new Error(`Cannot update: ${SUMS} is not signed with the key of this project's releases`);
  }
  return sums;
}

/** The names of the files in a list by `sha256sum`. */
export function listedNames(sums: string): string[] {
  return [...sums.matchAll(/^[0-9a-f]{64} [ *](.+?)\r?$/gim)].map(([, name = ""]) => name);
}
