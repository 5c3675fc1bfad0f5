import { assert, assertEquals, assertRejects } from "@std/assert";
import { readCertificate } from "../../lib/net/certificate.ts";
import { realUntil } from "../real_deadline.ts";
import { echoServer } from "./raw_server.ts";
import { makeCertificate, makeSelfSigned } from "./test_authority.ts";
import { SANITIZED, sanitized } from "../sanitized_tests.ts";
import { onlyIf } from "../only_on.ts";

const { signal } = new AbortController();
const certificate = await makeCertificate();
const DAY_MS = 24 * 60 * 60_000;

const withOpenssl = onlyIf(certificate !== undefined, SANITIZED);

withOpenssl.test("readCertificate() reads one that nobody trusts, and closes (needs openssl)", async () => {
  if (!certificate) return;
  await using server = echoServer({ certificate });
  for (const host of ["other.test", "127.0.0.1"]) {
    const connection = await Deno.connect({ port: server.port });
    const found = await readCertificate(connection, { host, signal });
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
  if (!certificate) return;
  const asked: string[] = [];
  const { certificate: cert, key } = certificate;
  const options = { cert, key, hostname: "127.0.0.1", port: 0, onListen() {} };
  const server = Deno.serve(options, ({ method, url }) => {
    asked.push(`${method} ${new URL(url).pathname}`);
    return new Response("");
  });
  const read = async (asksDate: boolean) => {
    const connection = await Deno.connect({ port: server.addr.port });
    return (await readCertificate(connection, { host: "127.0.0.1", signal, asksDate }))
      .serverDateMs;
  };
  assertEquals([await read(false), asked], [undefined, []]);
  const dateMs = await read(true) ?? 0;
  assert(Math.abs(dateMs - Date.now()) < 60_000, String(dateMs));
  assertEquals(asked, ["HEAD /"]);
  await server.shutdown();
});

withOpenssl.test("readCertificate() names the organization of an issuer, and tells a self-signed one", async () => {
  const own = await makeSelfSigned("-days", "2", "-subj", "/O=Acme/CN=panel.test");
  if (!own) return;
  const { cert, key } = own;
  await using server = echoServer({ certificate: { authority: "", certificate: cert, key } });
  const connection = await Deno.connect({ port: server.port });
  const found = await readCertificate(connection, { host: "panel.test", signal });
  assertEquals([found.issuer, found.isSelfSigned, found.names], ["Acme", true, []]);
  await realUntil(() => server.open === 0);
});

sanitized.test("readCertificate() rejects where no TLS is spoken, and closes", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const connection = await Deno.connect({ port: listener.addr.port });
  using accepted = await listener.accept();
  const reading = readCertificate(connection, { host: "localhost", signal });
  await accepted.write(new TextEncoder().encode("HTTP/1.1 400 Bad Request\r\n\r\n"));
  await assertRejects(() => reading, Error);
  const buffer = new Uint8Array(1024);
  while (await accepted.read(buffer).catch(() => null) !== null);
});

sanitized.test("readCertificate() rejects with the signal's reason", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const connection = await Deno.connect({ port: listener.addr.port });
  using _accepted = await listener.accept();
  const controller = new AbortController();
  const options = { host: "localhost", signal: controller.signal };
  const reading = readCertificate(connection, options);
  controller.abort(new Error("enough"));
  await assertRejects(() => reading, Error, "enough");
});
