import { UsageError } from "./usage_error.ts";

/** Only what may be public: a file of certificates often holds the key as well. */
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g;

/**
 * The certificates of a PEM file, a text each; `name` is what the file is called in the message.
 *
 * @throws {UsageError} When there are none.
 */
export function parseCertificates(text: string, name: string): readonly string[] {
  const found = text.match(CERTIFICATE);
  if (found === null) {
    throw new UsageError(
      `Cannot use ${name}: there is no certificate in it; PEM begins with -----BEGIN CERTIFICATE`,
    );
  }
  return found.map((pem) => `${pem}\n`);
}
