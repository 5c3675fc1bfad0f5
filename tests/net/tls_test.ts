import { assert, assertEquals, assertRejects } from "@std/assert";
import type { ByteStream } from "../../lib/net/byte_stream.ts";
import { type Certificate, readCertificate } from "../../lib/net/certificate.ts";
import { DialError } from "../../lib/net/errors.ts";
import { NodeTlsStream } from "../../lib/net/node_tls.ts";
import { Tls } from "../../lib/net/tls.ts";
import { FakeTime } from "../fake_time.ts";
import { realDeadline, realUntil } from "../real_deadline.ts";
import { sameLater } from "../cases.ts";
import { echoServer, type RawPeer, RawServer } from "./raw_server.ts";
import { roundTrip } from "./round_trip.ts";
import { makeCertificate } from "./test_authority.ts";
import { onlyIf } from "../only_on.ts";
import { TempFolder } from "../temp_folder.ts";
import { SANITIZED, sanitized } from "../sanitized_tests.ts";
import { denoOutput } from "../deno_output.ts";

const signal = new AbortController().signal;
const certificate = await makeCertificate();
const withOpenssl = onlyIf(certificate !== undefined, SANITIZED);
type TlsOptions = ConstructorParameters<typeof Tls>[0];

const trust: TlsOptions = certificate ? { caCerts: [certificate.authority] } : {};

const BY_NODE: TlsOptions = { byNode: true };

const NO_TLS = "to localhost port …: it does not speak TLS; is it an http:// address?";
const TRUSTS: readonly [told: string, TlsOptions][] = [
  ["with verified certificates", trust],
  ["with verified certificates, by Node's library", { ...trust, ...BY_NODE }],
  ["without a look at certificates", { anyCertificate: true }],
];

async function start(
  tls: Tls,
  port: number,
  options: { host?: string; signal?: AbortSignal } = {},
): Promise<ByteStream> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  return await tls.start(connection, { host: "localhost", port, signal, ...options });
}

/** The error of a start that fails. */
const failure = (options: TlsOptions, port: number, more: { host?: string } = {}) =>
  assertRejects(() => start(new Tls(options), port, more), DialError);

/** Answers each connection so; afterwards it is open until the other side ends it. */
function oddServer(answer: (peer: RawPeer) => unknown): RawServer {
  return new RawServer(async (peer) => {
    await peer.readSome();
    await answer(peer);
    await peer.ended();
  });
}

withOpenssl.test("Tls.start() rejects untrusted certificates, with the cause (needs openssl)", async () => {
  await using server = echoServer({ certificate });
  const unknown = "its issuer is unknown to this machine";
  const other = "it is for another name";
  await sameLater(async ([options, host]) => {
    const error = await failure(options, server.port, { host });
    assert(error.cause instanceof Error);
    return `${error.stage}: ${error.message.replace("Cannot trust the certificate of ", "")}`;
  }, [
    [[{}, "localhost"], `tls: localhost: ${unknown}`],
    [[BY_NODE, "localhost"], `tls: localhost: ${unknown}, or it is not valid at this time`],
    [[trust, "other.test"], `tls: other.test: ${other}`],
    [[trust, "127.0.0.2"], `tls: 127.0.0.2: ${other}`],
    [[{ ...trust, ...BY_NODE }, "other.test"], `tls: other.test: ${other}`],
    [[{ ...trust, ...BY_NODE }, "127.0.0.2"], `tls: 127.0.0.2: ${other}`],
  ] as [[TlsOptions, string], string][]);
  await realUntil(() => server.open === 0);
});

withOpenssl.test("Tls.start() takes a common name for no host's, by either library (needs openssl)", async () => {
  const nameless = await makeCertificate("keyUsage=digitalSignature");
  if (!nameless) return;
  await using server = echoServer({ certificate: nameless });
  for (const options of [{}, BY_NODE]) {
    const tls = new Tls({ caCerts: [nameless.authority], ...options });
    await assertRejects(() => start(tls, server.port), DialError, "it is for another name");
  }
});

withOpenssl.test("Tls.start() finds no host in the text of another name, by either library (needs openssl)", async () => {
  for (const name of ["URI.1=http://x", "email.1=x@y", "DNS.1=x"]) {
    const names = `subjectAltName=@names\n[names]\n${name}, DNS:localhost, IP Address:127.0.0.1`;
    const other = await makeCertificate(names);
    if (!other) return;
    await using server = echoServer({ certificate: other });
    for (const options of [{}, BY_NODE]) {
      const tls = new Tls({ caCerts: [other.authority], ...options });
      for (const host of ["localhost", "127.0.0.1"]) {
        await assertRejects(() => start(tls, server.port, { host }), DialError, "for another name");
      }
    }
  }
});

withOpenssl.test("Tls.start() trusts the machine's authorities beside those that are given (needs openssl)", async () => {
  const other = await makeCertificate();
  if (!certificate || !other) return;
  await using server = echoServer({ certificate });
  using folder = new TempFolder();
  const script = `
      import { Tls } from "${new URL("../../lib/net/tls.ts", import.meta.url)}";
      for (const byNode of [false, true]) {
        const tls = new Tls({ caCerts: JSON.parse(Deno.args[0]), byNode });
        const port = Number(Deno.args[1]);
        const connection = await Deno.connect({ hostname: "127.0.0.1", port });
        const { signal } = new AbortController();
        (await tls.start(connection, { host: "localhost", port, signal })).close();
        console.log(byNode);
      }`;
  const store = `${folder.path}/authorities.pem`;
  await Deno.writeTextFile(store, certificate.authority);
  await Deno.writeTextFile(`${folder.path}/dial.ts`, script);
  // Certificates that this process is told to trust are not those of the machine.
  const { NODE_EXTRA_CA_CERTS: _extra, DENO_CERT: _cert, ...env } = Deno.env.toObject();
  const output = await denoOutput("run -A --no-prompt --no-check", [
    ...["--config", new URL("../../deno.json", import.meta.url).pathname],
    ...[`${folder.path}/dial.ts`, JSON.stringify([other.authority]), String(server.port)],
  ], { clearEnv: true, env: { ...env, DENO_TLS_CA_STORE: "system", SSL_CERT_FILE: store } });
  assertEquals(output, "false\ntrue\n");
});

for (const [told, options] of TRUSTS) {
  sanitized.test(`Tls.start() says so when the server speaks no TLS or hangs up, ${told}`, async () => {
    await sameLater(async (act) => {
      await using server = oddServer((peer) => peer[act]("HTTP/1.1 400 Bad Request\r\n\r\n"));
      const { message } = await failure(options, server.port);
      await realUntil(() => server.open === 0);
      return message.replace(`${server.port}`, "…");
    }, [
      ["write", `Cannot connect ${NO_TLS}`],
      ["close", "Cannot start TLS with localhost port …: the server closed the connection"],
    ] as ["write" | "close", string][]);
  });

  sanitized.test(`Tls.start() gives a mute server 10 s, and rejects at once when its signal aborts, ${told}`, async () => {
    let greeted = Promise.withResolvers<void>();
    await using server = oddServer(() => greeted.resolve());
    const controller = new AbortController();
    const aborted = start(new Tls(options), server.port, { signal: controller.signal });
    await realDeadline(greeted.promise);
    controller.abort(new Error("enough"));
    await assertRejects(() => aborted, Error, "enough");
    // The runtime's own keeps its socket.
    if (options.byNode || options.anyCertificate) await realUntil(() => server.open === 0);

    greeted = Promise.withResolvers();
    using time = new FakeTime();
    const started = start(new Tls(options), server.port);
    started.catch(() => {});
    await realDeadline(greeted.promise);
    await time.run(9999);
    assertEquals(time.timers, 1);
    await time.run(1);
    await assertRejects(() => realDeadline(started), DialError, "no answer within 10 s");
  });

  withOpenssl.test(`Tls.start() gives a stream that tells the other side's end, ${told}`, async () => {
    if (!certificate) return;
    const { certificate: cert, key } = certificate;
    const address = { hostname: "127.0.0.1", port: 0 };
    using listener = Deno.listenTls({ ...address, cert, key, alpnProtocols: ["h2", "http/1.1"] });
    const accepting = listener.accept();
    const starting = start(new Tls(options), listener.addr.port);
    const server = await accepting;
    const [stream, { alpnProtocol }] = await Promise.all([starting, server.handshake()]);
    assertEquals(alpnProtocol, "http/1.1");
    const buffer = new Uint8Array(3);
    const early = stream.read(buffer);
    await server.write(new TextEncoder().encode("hello"));
    assertEquals(await early, 3);
    server.close();
    assertEquals(await stream.read(buffer), 2);
    assertEquals(await stream.read(buffer), null);
    assertEquals(await stream.read(buffer), null);
    stream.close();
  });

  withOpenssl.test(`Tls.start() gives a stream whose close() ends a read under way, ${told}`, async () => {
    await using server = echoServer({ certificate });
    const stream = await start(new Tls(options), server.port);
    const reading = stream.read(new Uint8Array(1));
    stream.close();
    await assertRejects(() => reading, Error);
    await realUntil(() => server.open === 0);
  });
}

withOpenssl.test("Tls.start() closes connections to a server without an answer from the second on, until one answers", async () => {
  await using muteServer = oddServer(() => {});
  const tls = new Tls(trust);
  const giveUp = async () => {
    const controller = new AbortController();
    const open = muteServer.open;
    const started = start(tls, muteServer.port, { signal: controller.signal });
    started.catch(() => {});
    await realUntil(() => muteServer.open !== open);
    controller.abort(new Error("enough"));
    await assertRejects(() => started, Error, "enough");
  };
  await giveUp();
  for (let count = 0; count < 5; count++) {
    await giveUp();
    await realUntil(() => muteServer.open <= 1);
  }
  await using server = echoServer({ certificate });
  for (let count = 0; count < 2; count++) {
    const stream = await start(tls, server.port);
    assertEquals(stream instanceof NodeTlsStream, count === 0, "it costs megabytes");
    await roundTrip(stream);
    stream.close();
    await realUntil(() => server.open === 0);
  }
  // Nor can a server that answers in between have any number.
  for (let count = 0; count < 12; count++) {
    await giveUp();
    (await start(tls, server.port)).close();
  }
  await realUntil(() => muteServer.open <= 8);
});

const DAY_MS = 24 * 60 * 60_000;

/** Reads the certificate of a server on loopback. */
async function read(
  port: number,
  options: { host?: string; asksDate?: boolean; signal?: AbortSignal } = {},
): Promise<Certificate> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  return await readCertificate(connection, { host: "127.0.0.1", signal, ...options });
}

withOpenssl.test("readCertificate() reads one that nobody trusts, and closes (needs openssl)", async () => {
  await using server = echoServer({ certificate });
  for (const host of ["other.test", "127.0.0.1"]) {
    const found = await read(server.port, { host });
    assertEquals([found.issuer, found.tlsVersion], ["test-authority", "TLSv1.3"]);
    assertEquals([found.names[0], found.names[3]], ["localhost", "127.0.0.1"]);
    assertEquals([found.names.length, found.isSelfSigned], [5, false]);
    const days = (found.validUntilMs - Date.now()) / DAY_MS;
    assert(days > 1 && days <= 2, `${days} days`);
    assertEquals(found.validUntilMs - found.validFromMs, 2 * DAY_MS);
    await realUntil(() => server.open === 0);
  }
});

withOpenssl.test("readCertificate() asks for the server's date where that is wanted", async () => {
  const asked: string[] = [];
  const date = "Tue, 24 Nov 2026 19:35:34 GMT";
  await using server = new RawServer(async (peer) => {
    const head = await peer.head();
    if (head === undefined) return;
    asked.push(head);
    await peer.answer("", [`Date: ${date}`]);
  }, { certificate });
  assertEquals((await read(server.port)).serverDateMs, undefined);
  assertEquals((await read(server.port, { asksDate: true })).serverDateMs, Date.parse(date));
  assertEquals(asked, ["HEAD / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"]);
});

sanitized.test("readCertificate() rejects where no TLS is spoken, or with the signal's reason, and closes", async () => {
  const controller = new AbortController();
  await using server = new RawServer(async (peer, index) => {
    if (index === 0) await peer.write("HTTP/1.1 400 Bad Request\r\n\r\n");
    else controller.abort(new Error("enough"));
    await peer.ended();
  });
  await assertRejects(() => read(server.port), Error);
  await assertRejects(() => read(server.port, { signal: controller.signal }), Error, "enough");
  await realUntil(() => server.open === 0);
});
