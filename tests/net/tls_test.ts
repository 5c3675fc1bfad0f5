import { assert, assertEquals, assertLess, assertRejects, assertThrows } from "@std/assert";
import { delay } from "@std/async/delay";
import type { ByteStream } from "../../lib/net/byte_stream.ts";
import { DialError } from "../../lib/net/errors.ts";
import { NodeTlsStream } from "../../lib/net/node_tls.ts";
import { loadAuthorities, Tls } from "../../lib/net/tls.ts";
import { FakeTime } from "../fake_time.ts";
import { realDeadline, realUntil } from "../real_deadline.ts";
import { echoServer, type RawPeer, RawServer } from "./raw_server.ts";
import { roundTrip } from "./round_trip.ts";
import { makeCertificate } from "./test_authority.ts";
import { onlyIf } from "../only_on.ts";
import { restoring } from "../restoring.ts";
import { TempFolder } from "../temp_folder.ts";
import { SANITIZED, sanitized } from "../sanitized_tests.ts";
import { denoOutput } from "../deno_output.ts";

const signal = new AbortController().signal;
const certificate = await makeCertificate();
const withOpenssl = onlyIf(certificate !== undefined, SANITIZED);
type TlsOptions = ConstructorParameters<typeof Tls>[0];

const trust: TlsOptions = certificate ? { caCerts: [certificate.authority] } : {};

const TRUSTS: readonly TlsOptions[] = [trust, { ...trust, byNode: true }, { anyCertificate: true }];

function told({ anyCertificate, byNode }: TlsOptions): string {
  if (anyCertificate) return "without a look at certificates";
  return `with verified certificates${byNode ? ", by Node's library" : ""}`;
}

async function start(
  tls: Tls,
  port: number,
  options: { host?: string; signal?: AbortSignal } = {},
): Promise<ByteStream> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  return await tls.start(connection, { host: "localhost", port, signal, ...options });
}

/** Answers each connection so; afterwards it is open until the other side ends it. */
function oddServer(answer: (peer: RawPeer) => unknown): RawServer {
  return new RawServer(async (peer) => {
    await peer.readSome();
    await answer(peer);
    await peer.ended();
  });
}

withOpenssl.test("Tls.start() rejects untrusted certificates, with the cause (needs openssl)", async () => {
  if (!certificate) return;
  await using server = echoServer({ certificate });
  const { caCerts } = trust;
  const unknown = "its issuer is unknown to this machine";
  const table: [TlsOptions, string, string][] = [
    [{}, "localhost", unknown],
    [{ byNode: true }, "localhost", `${unknown}, or it is not valid at this time`],
    ...[false, true].flatMap((byNode): [TlsOptions, string, string][] =>
      ["other.test", "127.0.0.2"].map((host) => [
        { caCerts, byNode },
        host,
        "it is for another name",
      ])
    ),
  ];
  for (const [options, host, reason] of table) {
    const error = await assertRejects(
      () => start(new Tls(options), server.port, { host }),
      DialError,
    );
    assertEquals(error.message, `Cannot trust the certificate of ${host}: ${reason}`);
    assertEquals(error.stage, "tls");
    assert(error.cause instanceof Error);
  }
  await realUntil(() => server.open === 0);
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

withOpenssl.test("Tls.start() accepts a name with a final dot (needs openssl)", async () => {
  if (!certificate) return;
  await using server = echoServer({ certificate });
  const stream = await start(new Tls(trust), server.port, { host: "localhost." });
  await roundTrip(stream, 10);
  stream.close();
});

for (const options of TRUSTS) {
  sanitized.test(`Tls.start() says so when the server speaks no TLS, ${told(options)}`, async () => {
    const answer = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
    await using server = oddServer((peer) => peer.write(answer));
    const error = await assertRejects(() => start(new Tls(options), server.port), DialError);
    assertEquals(
      error.message,
      `Cannot connect to localhost port ${server.port}: it does not speak TLS; is it an http:// address?`,
    );
    await realUntil(() => server.open === 0);
  });

  sanitized.test(`Tls.start() rejects when the server hangs up, ${told(options)}`, async () => {
    await using server = oddServer((peer) => peer.close());
    const error = await assertRejects(() => start(new Tls(options), server.port), DialError);
    assertEquals(
      error.message,
      `Cannot start TLS with localhost port ${server.port}: the server closed the connection`,
    );
  });

  sanitized.test(`Tls.start() gives a mute server 10 s, ${told(options)}`, async () => {
    const { promise: greeted, resolve: greet } = Promise.withResolvers<void>();
    await using server = oddServer(() => greet());
    using time = new FakeTime();
    const started = start(new Tls(options), server.port);
    started.catch(() => {});
    await realDeadline(greeted);
    await time.run(9999);
    assertEquals(time.timers, 1);
    await time.run(1);
    const error = await assertRejects(() => realDeadline(started), DialError);
    assertEquals(
      error.message,
      `Cannot start TLS with localhost port ${server.port}: no answer within 10 s`,
    );
  });

  sanitized.test(`Tls.start() rejects with the signal's reason at once, ${told(options)}`, async () => {
    const { promise: greeted, resolve: greet } = Promise.withResolvers<void>();
    await using server = oddServer(() => greet());
    const controller = new AbortController();
    const started = start(new Tls(options), server.port, { signal: controller.signal });
    await greeted;
    controller.abort(new Error("enough"));
    await assertRejects(() => started, Error, "enough");
    // The runtime's own keeps its socket.
    if (options.byNode || options.anyCertificate) await realUntil(() => server.open === 0);
  });

  withOpenssl.test(`Tls.start() gives a stream that waits when a side does not read, ${told(options)}`, async () => {
    if (!certificate) return;
    await using server = echoServer({ certificate });
    const stream = await start(new Tls(options), server.port);
    // Nobody reads what comes back, so both directions fill up.
    let sent = 0;
    let ended: unknown;
    const sending = (async () => {
      while (true) sent += await stream.write(new Uint8Array(65_536));
    })().catch((error) => ended = error);
    for (let last = -1, same = 0; same < 20; await delay(5)) {
      same = sent === last ? same + 1 : 0;
      last = sent;
      assertLess(sent, 64 * 1024 * 1024);
    }
    stream.close();
    await sending;
    assert(ended instanceof Error);
  });

  withOpenssl.test(`Tls.start() gives a stream that tells the other side's end, ${told(options)}`, async () => {
    if (!certificate) return;
    using listener = Deno.listenTls({
      hostname: "127.0.0.1",
      port: 0,
      cert: certificate.certificate,
      key: certificate.key,
      alpnProtocols: ["h2", "http/1.1"],
    });
    const [stream, server] = await Promise.all([
      start(new Tls(options), listener.addr.port),
      listener.accept().then(async (connection) => {
        assertEquals((await connection.handshake()).alpnProtocol, "http/1.1");
        return connection;
      }),
    ]);
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

  withOpenssl.test(`Tls.start() gives a stream whose close() ends a read under way, ${told(options)}`, async () => {
    if (!certificate) return;
    await using server = echoServer({ certificate });
    const stream = await start(new Tls(options), server.port);
    const reading = stream.read(new Uint8Array(1));
    stream.close();
    await assertRejects(() => reading, Error);
    await realUntil(() => server.open === 0);
  });
}

withOpenssl.test("Tls.start() closes connections to a server without an answer from the second on, until one answers", async () => {
  if (!certificate) return;
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
});

Deno.test("loadAuthorities() has the runtime load what a variable names, and nothing without one", () => {
  const names = [
    ...["DENO_TLS_CA_STORE", "DENO_CERT", "NODE_EXTRA_CA_CERTS"],
    ...["SSL_CERT_FILE", "SSL_CERT_DIR"],
  ];
  using _client = restoring(Deno, "createHttpClient");
  using _env = restoring(Deno.env, "has");
  const loads: unknown[] = [];
  Reflect.set(Deno, "createHttpClient", () => {
    loads.push(set);
    if (set === "SSL_CERT_DIR") throw new Error("no such folder");
    return { close: () => loads.push("closed") };
  });
  let set: string | undefined;
  Deno.env.has = (name) => name === set;
  loadAuthorities();
  for (set of names.slice(0, -1)) loadAuthorities();
  set = names.at(-1);
  const error = assertThrows(loadAuthorities, Error, "Cannot load the certificates");
  assertEquals(error.cause instanceof Error && error.cause.message, "no such folder");
  assertEquals(loads, names.flatMap((name, index) => index < 4 ? [name, "closed"] : [name]));
});
