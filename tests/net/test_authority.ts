import { patience } from "../patience.ts";
import { TempFolder } from "../temp_folder.ts";

/** What a TLS server shows, and what a client must trust to believe it; all in PEM. */
export interface TestCertificate {
  authority: string;
  certificate: string;
  key: string;
}

const NAMES = [
  "DNS:localhost",
  "DNS:panel.test",
  "DNS:xn--bcher-kva.test",
  "IP:127.0.0.1",
  "IP:::1",
];

/** What `use` makes by openssl in a folder; `undefined` where there is no openssl. */
async function byOpenssl<T>(
  use: (
    openssl: (line: string, ...more: readonly string[]) => Promise<void>,
    read: (name: string) => string,
    folder: string,
  ) => Promise<T>,
): Promise<T | undefined> {
  using folder = new TempFolder();
  const openssl = async (line: string, ...more: readonly string[]) => {
    const args = [...line.split(" "), ...more];
    const options = { args, cwd: folder.path, signal: patience() };
    const command = new Deno.Command("openssl", options);
    const { success, stderr } = await command.output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
  };
  const read = (name: string) => Deno.readTextFileSync(`${folder.path}/${name}`);
  try {
    return await use(openssl, read, folder.path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

const NEW_KEY = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";

/**
 * A fresh authority and a certificate of it for `localhost`, `panel.test`, `bücher.test` and loopback,
 * both valid for some days; `undefined` where there is no openssl.
 */
export async function makeCertificate({ days = 2 } = {}): Promise<TestCertificate | undefined> {
  return await byOpenssl(async (openssl, read, folder) => {
    const authority = "-keyout ca.key -out ca.pem -subj /CN=test-authority";
    await openssl(`req -x509 ${NEW_KEY} ${authority} -days ${days}`);
    await openssl(`req ${NEW_KEY} -keyout key.pem -out request.pem -subj /CN=localhost`);
    await Deno.writeTextFile(`${folder}/names`, `subjectAltName=${NAMES.join(",")}\n`);
    await openssl(
      `x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days ${days} ` +
        "-extfile names -out certificate.pem",
    );
    return {
      authority: read("ca.pem"),
      certificate: read("certificate.pem"),
      key: read("key.pem"),
    };
  });
}

/** A certificate as plain `openssl req -x509` makes it: its own issuer, and an authority's. */
export interface SelfSigned {
  readonly cert: string;
  readonly key: string;
}

/** Makes one, with further arguments of openssl; `undefined` where there is none. */
export async function makeSelfSigned(...more: readonly string[]): Promise<SelfSigned | undefined> {
  return await byOpenssl(async (openssl, read) => {
    await openssl(
      `req -x509 ${NEW_KEY} -keyout key.pem -out cert.pem -subj /CN=localhost`,
      ...more,
    );
    return { cert: read("cert.pem"), key: read("key.pem") };
  });
}
