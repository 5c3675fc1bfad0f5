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

/**
 * A fresh authority and a certificate of it for `localhost`, `panel.test`, `bücher.test` and loopback,
 * both valid for some days; `undefined` where there is no openssl.
 */
export async function makeCertificate({ days = 2 } = {}): Promise<TestCertificate | undefined> {
  const folder = await Deno.makeTempDir();
  const openssl = async (line: string): Promise<void> => {
    const { success, stderr } = await new Deno.Command("openssl", {
      args: line.split(" "),
      cwd: folder,
    }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
  };
  const curve = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
  try {
    await openssl(
      `req -x509 ${curve} -keyout ca.key -out ca.pem -subj /CN=test-authority -days ${days}`,
    );
    await openssl(`req ${curve} -keyout key.pem -out request.pem -subj /CN=localhost`);
    await Deno.writeTextFile(`${folder}/names`, `subjectAltName=${NAMES.join(",")}\n`);
    await openssl(
      `x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days ${days} ` +
        "-extfile names -out certificate.pem",
    );
    return {
      authority: await Deno.readTextFile(`${folder}/ca.pem`),
      certificate: await Deno.readTextFile(`${folder}/certificate.pem`),
      key: await Deno.readTextFile(`${folder}/key.pem`),
    };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** A certificate as plain `openssl req -x509` makes it: its own issuer, and an authority's. */
export interface SelfSigned {
  readonly cert: string;
  readonly key: string;
}

/** Makes one, with further arguments of openssl; `undefined` where there is none. */
export async function makeSelfSigned(...more: readonly string[]): Promise<SelfSigned | undefined> {
  const folder = await Deno.makeTempDir();
  try {
    const { success, stderr } = await new Deno.Command("openssl", {
      args: [
        ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"],
        ...["-keyout", "key.pem", "-out", "cert.pem", "-subj", "/CN=localhost"],
        ...more,
      ],
      cwd: folder,
    }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
    const [cert, key] = ["cert.pem", "key.pem"].map((name) =>
      Deno.readTextFileSync(`${folder}/${name}`)
    );
    return { cert: cert ?? "", key: key ?? "" };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
