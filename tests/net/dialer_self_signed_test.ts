import { assertEquals, assertRejects } from "@std/assert";
import { NetDialer } from "../../lib/net/dialer.ts";
import { DialError } from "../../lib/net/errors.ts";
import { onlyIf } from "../only_on.ts";
import { TempFolder } from "../temp_folder.ts";
import { makeSelfSigned, type SelfSigned } from "./test_authority.ts";
import { RawServer } from "./raw_server.ts";

const { signal } = new AbortController();

const NAMED = ["-days", "2", "-addext", "subjectAltName=DNS:localhost"];
const own = await makeSelfSigned(...NAMED);
const withOpenssl = onlyIf(own !== undefined);
const { cert = "", key = "" } = own ?? {};

async function withServer(
  { cert, key }: SelfSigned,
  act: (url: URL) => Promise<void>,
): Promise<void> {
  const options = { port: 0, hostname: "127.0.0.1", cert, key, onListen() {} };
  await using server = Deno.serve(options, () => new Response());
  await act(new URL(`https://localhost:${server.addr.port}`));
}

async function dial(url: URL, caCerts: readonly string[]): Promise<void> {
  const { stream } = await new NetDialer({ caCerts, preferFamily: 4 }).dial(url, { signal });
  stream.close();
}

async function assertRefused(url: URL, caCerts: readonly string[], why: string): Promise<void> {
  const { message } = await assertRejects(() => dial(url, caCerts), DialError);
  assertEquals(message, `Cannot trust the certificate of localhost: ${why}`);
}

withOpenssl.test("NetDialer.dial() trusts a self-signed certificate that is an authority's, when it is given", async () => {
  await withServer({ cert, key }, async (url) => {
    await dial(url, [cert]);
    await assertRefused(url, [], "it is self-signed");
  });
});

withOpenssl.test("NetDialer.dial() refuses such a certificate that is another one, or for another name", async () => {
  const another = await makeSelfSigned(...NAMED) ?? { cert: "", key: "" };
  await withServer(another, (url) => assertRefused(url, [cert], "it is self-signed"));
  const options = ["-days", "2", "-addext", "subjectAltName=DNS:other.example"];
  const misnamed = await makeSelfSigned(...options) ?? { cert: "", key: "" };
  await withServer(
    misnamed,
    (url) => assertRefused(url, [misnamed.cert], "it is for another name"),
  );
});

withOpenssl.test("NetDialer.dial() refuses who has such a certificate, but not its key", async () => {
  await using server = await startProvenServer({ cert, key });
  for (const isForged of [false, true]) {
    await using man = new RawServer((client) => {
      let isFirst = isForged;
      // The first answer ends by the signature of the key exchange and a record of nine bytes.
      const change = (bytes: Uint8Array<ArrayBuffer>) => {
        const changed = isFirst ? bytes.with(-10, (bytes.at(-10) ?? 0) ^ 1) : bytes;
        isFirst = false;
        return changed;
      };
      return client.leadTo(server.port, { change });
    });
    const dialed = dial(new URL(`https://localhost:${man.port}`), [cert]);
    if (isForged) await assertRejects(() => dialed, DialError, "Cannot trust");
    else await dialed;
  }
});

/** A server of TLS 1.2, where the proof of the key is seen by who stands in between. */
async function startProvenServer(pair: SelfSigned): Promise<AsyncDisposable & { port: number }> {
  const folder = new TempFolder();
  await Deno.writeTextFile(`${folder.path}/pair.pem`, pair.cert + pair.key);
  const process = new Deno.Command("openssl", {
    args: "s_server -accept 127.0.0.1:0 -tls1_2 -www -cert pair.pem -key pair.pem".split(" "),
    cwd: folder.path,
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const reader = process.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let output = "";
  while (!/ACCEPT 127\.0\.0\.1:\d+/.test(output)) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`Cannot start openssl: ${output}`);
    output += value;
  }
  return {
    port: Number(/ACCEPT 127\.0\.0\.1:(\d+)/.exec(output)?.[1]),
    async [Symbol.asyncDispose]() {
      process.kill();
      await reader.cancel();
      await process.status;
      folder[Symbol.dispose]();
    },
  };
}
