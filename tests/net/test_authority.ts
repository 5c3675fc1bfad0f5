import { patience } from "../patience.ts";
import { TempFolder } from "../temp_folder.ts";

/** What a TLS server shows, and what a client must trust to believe it; all in PEM. */
export interface TestCertificate {
  authority: string;
  certificate: string;
  key: string;
}

const NAMES =
  "subjectAltName=DNS:localhost,DNS:panel.test,DNS:xn--bcher-kva.test,IP:127.0.0.1,IP:::1";

/** What openssl's commands make in a folder, by names; `undefined` where there is no openssl. */
async function byOpenssl(
  files: { authority: string; extension?: string },
  ...commands: readonly string[]
): Promise<TestCertificate | undefined> {
  using folder = new TempFolder();
  const { path: cwd } = folder;
  await Deno.writeTextFile(`${cwd}/names`, `${files.extension}\n`);
  const read = (name: string) => Deno.readTextFileSync(`${cwd}/${name}`);
  try {
    for (const line of commands) {
      const options = { args: line.split(" "), cwd, signal: patience() };
      const { success, stderr } = await new Deno.Command("openssl", options).output();
      if (!success) throw new Error(new TextDecoder().decode(stderr));
    }
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
  const [certificate, key] = [read("certificate.pem"), read("key.pem")];
  return { authority: read(files.authority), certificate, key };
}

const NEW_KEY = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
const SIGN = "-CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names";

/**
 * A fresh authority and a certificate of it for `localhost`, `panel.test`, `bücher.test` and loopback,
 * both valid for some days; `undefined` where there is no openssl. With another `extension` it has but the
 * common name `localhost`.
 */
export async function makeCertificate(extension = NAMES): Promise<TestCertificate | undefined> {
  return await byOpenssl(
    { authority: "ca.pem", extension },
    `req -x509 ${NEW_KEY} -keyout ca.key -out ca.pem -subj /CN=test-authority -days 2`,
    `req ${NEW_KEY} -keyout key.pem -out request.pem -subj /CN=localhost`,
    `x509 -req -in request.pem ${SIGN} -out certificate.pem`,
  );
}

/** One as plain `openssl req -x509` makes it for a name: its own issuer, and an authority's. */
export async function makeSelfSigned(name: string): Promise<TestCertificate | undefined> {
  return await byOpenssl(
    { authority: "certificate.pem" },
    `req -x509 ${NEW_KEY} -keyout key.pem -out certificate.pem -subj /CN=localhost -days 2 ` +
      `-addext subjectAltName=DNS:${name}`,
  );
}
