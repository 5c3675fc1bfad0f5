/**
 * Prints a new key pair for signing releases: the private key becomes the secret
 * `RELEASE_SIGNING_KEY` of the repository, the public one its variable `RELEASE_PUBLIC_KEY`.
 *
 * @module
 */

/** A key pair of Ed25519, both in Base64. */
export interface ReleaseKeys {
  /** PKCS #8. */
  readonly privateKey: string;
  /** `SubjectPublicKeyInfo`. */
  readonly publicKey: string;
}

/** Makes a new key pair. */
export async function makeReleaseKeys(): Promise<ReleaseKeys> {
  const pair = await crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"]);
  if (!("privateKey" in pair)) {
    throw new TypeError("Cannot make a key pair: Ed25519 is unsupported");
  }
  return {
    privateKey: await exported("pkcs8", pair.privateKey),
    publicKey: await exported("spki", pair.publicKey),
  };
}

async function exported(format: "pkcs8" | "spki", key: CryptoKey): Promise<string> {
  return new Uint8Array(await crypto.subtle.exportKey(format, key)).toBase64();
}

if (import.meta.main) {
  const { privateKey, publicKey } = await makeReleaseKeys();
  console.log(`RELEASE_SIGNING_KEY (secret)    ${privateKey}`);
  console.log(`RELEASE_PUBLIC_KEY  (variable)  ${publicKey}`);
}
