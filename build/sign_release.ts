/**
 * Signs `dist/SHA256SUMS` with the key in `$RELEASE_SIGNING_KEY`, and checks the signature with
 * `$RELEASE_PUBLIC_KEY`, which the builds are stamped with.
 *
 * @module
 */

import { isSignedBy, SIGNATURE } from "../lib/update/checksums.ts";
import type { ReleaseKeys } from "./make_release_key.ts";

/**
 * Writes `SHA256SUMS.sig` beside `SHA256SUMS`, and returns its path.
 *
 * @throws {Error} When the private key is invalid, or does not belong to the public one.
 */
export async function signRelease(dist: string, keys: ReleaseKeys): Promise<string> {
  const sums = await Deno.readTextFile(`${dist}/SHA256SUMS`);
  const key = await importPrivateKey(keys.privateKey);
  const bytes = await crypto.subtle.sign("Ed25519", key, new TextEncoder().encode(sums));
  const signature = new Uint8Array(bytes).toBase64();
  if (!await isSignedBy(sums, { signature, publicKey: keys.publicKey })) {
    throw new Error("Cannot sign the release: RELEASE_SIGNING_KEY is not that of the public key");
  }
  const path = `${dist}/${SIGNATURE}`;
  await Deno.writeTextFile(path, `${signature}\n`);
  return path;
}

async function importPrivateKey(privateKey: string): Promise<CryptoKey> {
  try {
    const bytes = Uint8Array.fromBase64(privateKey);
    return await crypto.subtle.importKey("pkcs8", bytes, "Ed25519", false, ["sign"]);
  } catch {
    // The cause could quote the key.
    throw new Error("Cannot sign the release: RELEASE_SIGNING_KEY is no Ed25519 private key");
  }
}

if (import.meta.main) {
  try {
    console.log(
      await signRelease(`${Deno.cwd()}/dist`, {
        privateKey: Deno.env.get("RELEASE_SIGNING_KEY") ?? "",
        publicKey: Deno.env.get("RELEASE_PUBLIC_KEY") ?? "",
      }),
    );
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    Deno.exit(1);
  }
}
