import { assertEquals } from "@std/assert";
import { NetDialer } from "../../lib/net/dialer.ts";
import { DialError } from "../../lib/net/errors.ts";
import { cases, sameLater } from "../cases.ts";
import { onlyIf } from "../only_on.ts";
import { TempFolder } from "../temp_folder.ts";
import { makeSelfSigned } from "./test_authority.ts";
import { echoServer, RawServer } from "./raw_server.ts";

const UNTRUSTED = "Cannot trust the certificate of localhost:";
const { signal } = new AbortController();

const own = await makeSelfSigned("localhost");
const withOpenssl = onlyIf(own !== undefined);

/** Why a dialer that trusts a certificate refuses the server at a port; empty when it does not. */
async function refusalAt(port: number, trusted: typeof own): Promise<string> {
  const caCerts = trusted === undefined ? [] : [trusted.certificate];
  const dialer = new NetDialer({ caCerts, preferFamily: 4 });
  try {
    const { stream } = await dialer.dial(new URL(`https://localhost:${port}`), { signal });
    stream.close();
    return "";
  } catch (error) {
    if (!(error instanceof DialError)) throw error;
    return error.message;
  }
}

withOpenssl.test("NetDialer.dial() trusts a self-signed certificate that is an authority's, when it is given, no other, and for no other name", async () => {
  const made: Readonly<Record<string, typeof own>> = {
    own,
    another: await makeSelfSigned("localhost"),
    misnamed: await makeSelfSigned("other.example"),
  };
  const rows = cases(`
    own where own is trusted →
    own where none is trusted → ${UNTRUSTED} it is self-signed
    another where own is trusted → ${UNTRUSTED} it is self-signed
    misnamed where misnamed is trusted → ${UNTRUSTED} it is for another name
  `);
  await sameLater(async (words) => {
    const [shown = "", , trusted = ""] = words.split(" ");
    await using server = echoServer({ certificate: made[shown] });
    return await refusalAt(server.port, made[trusted]);
  }, rows);
});

/** A server of TLS 1.2, where the proof of the key is seen by who stands in between. */
const PROVEN = "s_server -accept 127.0.0.1:0 -tls1_2 -www -cert pair.pem -key pair.pem";

withOpenssl.test("NetDialer.dial() refuses who has such a certificate, but not its key", async () => {
  using folder = new TempFolder();
  await Deno.writeTextFile(`${folder.path}/pair.pem`, `${own?.certificate}${own?.key}`);
  const silent = { stdin: "null", stderr: "null", stdout: "piped" } as const;
  const options = { ...silent, args: PROVEN.split(" "), cwd: folder.path };
  await using process = new Deno.Command("openssl", options).spawn();
  let said = "";
  const output = process.stdout.pipeThrough(new TextDecoderStream());
  for await (const text of output.values({ preventCancel: true })) {
    said += text;
    if (/ACCEPT .*\n/.test(said)) break;
  }
  const [, port] = /ACCEPT 127\.0\.0\.1:(\d+)/.exec(said) ?? [];
  for (const isForged of [false, true]) {
    await using man = new RawServer((client) => {
      let isFirst = isForged;
      // The first answer ends by the signature of the key exchange and a record of nine bytes.
      const change = (bytes: Uint8Array<ArrayBuffer>) => {
        const changed = isFirst ? bytes.with(-10, (bytes.at(-10) ?? 0) ^ 1) : bytes;
        isFirst = false;
        return changed;
      };
      return client.leadTo(Number(port), { change });
    });
    const refusal = await refusalAt(man.port, own);
    assertEquals(refusal.slice(0, UNTRUSTED.length), isForged ? UNTRUSTED : "", said);
  }
});
