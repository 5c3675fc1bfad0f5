import { createPrivateKey, generateKeyPairSync, sign } from "node:crypto";

/** A key pair for signing releases, made and used without the code under test. */
export class ReleaseKeys {
  /** As builds are stamped with it. */
  readonly publicKey: string;
  /** As the release workflow has it. */
  readonly privateKey: string;

  constructor() {
    const { publicKey, privateKey } = generateKeyPairSync("ed25519");
    this.publicKey = publicKey.export({ type: "spki", format: "der" }).toString("base64");
    this.privateKey = privateKey.export({ type: "pkcs8", format: "der" }).toString("base64");
  }

  /** The content of `SHA256SUMS.sig`. */
  sign(text: string): string {
    const key = createPrivateKey({
      key: `-----BEGIN PRIVATE KEY-----\n${this.privateKey}\n-----END PRIVATE KEY-----\n`,
      format: "pem",
    });
    return `${sign(null, new TextEncoder().encode(text), key).toString("base64")}\n`;
  }
}
