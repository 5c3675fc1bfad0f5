import { assertEquals, assertRejects } from "@std/assert";
import { NetDialer } from "../../lib/net/dialer.ts";
import { DialError } from "../../lib/net/errors.ts";
import { onlyIf } from "../only_on.ts";
import { makeSelfSigned, type SelfSigned } from "./test_authority.ts";
import { writeAll } from "../../lib/io/write_all.ts";

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

withOpenssl.test("NetDialer.dial() trusts a self-signed certificate that is an authority's, when it is given", async () => {
  await withServer({ cert, key }, async (url) => {
    await dial(url, [cert]);
    const error = await assertRejects(() => dial(url, []), DialError);
    assertEquals(error.message, "Cannot trust the certificate of localhost: it is self-signed");
  });
});

withOpenssl.test("NetDialer.dial() connects once to a server that is gone, also after such a certificate", async () => {
  const dialer = new NetDialer({ caCerts: [cert], preferFamily: 4 });
  let gone = new URL("https://localhost");
  await withServer({ cert, key }, async (url) => {
    gone = url;
    const { stream } = await dialer.dial(url, { signal });
    stream.close();
  });
  const { connect } = Deno;
  const called: unknown[] = [];
  const value = (options: Deno.ConnectOptions) => {
    called.push(options.port);
    return connect(options);
  };
  Object.defineProperty(Deno, "connect", { value, configurable: true });
  try {
    await assertRejects(() => dialer.dial(gone, { signal }), DialError);
  } finally {
    Object.defineProperty(Deno, "connect", { value: connect, configurable: true });
  }
  assertEquals(called, [Number(gone.port)]);
});

withOpenssl.test("NetDialer.dial() refuses such a certificate that is another one, or for another name", async () => {
  const another = await makeSelfSigned(...NAMED) ?? { cert: "", key: "" };
  await withServer(another, async (url) => {
    const error = await assertRejects(() => dial(url, [cert]), DialError);
    assertEquals(error.message, "Cannot trust the certificate of localhost: it is self-signed");
  });
  const options = ["-days", "2", "-addext", "subjectAltName=DNS:other.example"];
  const misnamed = await makeSelfSigned(...options) ?? { cert: "", key: "" };
  await withServer(misnamed, async (url) => {
    const error = await assertRejects(() => dial(url, [misnamed.cert]), DialError);
    assertEquals(
      error.message,
      "Cannot trust the certificate of localhost: it is for another name",
    );
  });
});

withOpenssl.test("NetDialer.dial() refuses who has such a certificate, but not its key", async () => {
  for (const isForged of [false, true]) {
    await using server = await startProvenServer({ cert, key });
    using man = new ManInTheMiddle(server.port, { isForged });
    const dialed = dial(new URL(`https://localhost:${man.port}`), [cert]);
    if (isForged) await assertRejects(() => dialed, DialError);
    else await dialed;
  }
});

/** A server of TLS 1.2, where the proof of the key is seen by who stands in between. */
async function startProvenServer(pair: SelfSigned): Promise<AsyncDisposable & { port: number }> {
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(`${folder}/cert.pem`, pair.cert);
  await Deno.writeTextFile(`${folder}/key.pem`, pair.key);
  const process = new Deno.Command("openssl", {
    args: [
      ...["s_server", "-accept", "127.0.0.1:0", "-tls1_2", "-www"],
      ...["-cert", "cert.pem", "-key", "key.pem"],
    ],
    cwd: folder,
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
      await Deno.remove(folder, { recursive: true });
    },
  };
}

/** Passes all bytes on; forged, the server's proof that it has the key is another's. */
class ManInTheMiddle implements Disposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #isForged: boolean;
  readonly #open: Deno.TcpConn[] = [];

  constructor(port: number, { isForged }: { isForged: boolean }) {
    this.#isForged = isForged;
    this.#serve(port);
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  [Symbol.dispose](): void {
    this.#listener.close();
    for (const connection of this.#open) {
      try {
        connection.close();
      } catch {
        // It was closed by its copy.
      }
    }
  }

  async #serve(port: number): Promise<void> {
    for await (const client of this.#listener) {
      const server = await Deno.connect({ hostname: "127.0.0.1", port });
      this.#open.push(client, server);
      copy(client, server);
      if (this.#isForged) copyForged(server, client);
      else copy(server, client);
    }
  }
}

async function copy(from: Deno.TcpConn, to: Deno.TcpConn): Promise<void> {
  const buffer = new Uint8Array(16 * 1024);
  try {
    for (let count; (count = await from.read(buffer)) !== null;) {
      await writeAll(to, buffer.slice(0, count));
    }
    await to.closeWrite();
  } catch {
    // One of both is gone.
  }
}

const RECORD_HEADER = 5;
const HANDSHAKE = 22;
const SERVER_KEY_EXCHANGE = 12;

/** Record by record; the signature at the end of the key exchange is changed. */
async function copyForged(from: Deno.TcpConn, to: Deno.TcpConn): Promise<void> {
  let rest = new Uint8Array();
  const buffer = new Uint8Array(16 * 1024);
  try {
    for (let count; (count = await from.read(buffer)) !== null;) {
      rest = Uint8Array.from([...rest, ...buffer.subarray(0, count)]);
      for (;;) {
        const length = RECORD_HEADER + ((rest[3] ?? 0) << 8) + (rest[4] ?? 0);
        if (rest.length < RECORD_HEADER || rest.length < length) break;
        const record = rest.slice(0, length);
        rest = rest.slice(length);
        const isProof = record[0] === HANDSHAKE && record[RECORD_HEADER] === SERVER_KEY_EXCHANGE;
        if (isProof) record[length - 1] = (record[length - 1] ?? 0) ^ 1;
        await writeAll(to, record);
      }
    }
    await to.closeWrite();
  } catch {
    // One of both is gone.
  }
}
