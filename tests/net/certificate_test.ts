import { assert, assertEquals, assertRejects } from "@std/assert";
import { type Certificate, readCertificate } from "../../lib/net/certificate.ts";
import { realUntil } from "../real_deadline.ts";
import { echoServer, RawServer } from "./raw_server.ts";
import { makeCertificate } from "./test_authority.ts";
import { SANITIZED, sanitized } from "../sanitized_tests.ts";
import { onlyIf } from "../only_on.ts";

const { signal } = new AbortController();
const certificate = await makeCertificate();
const DAY_MS = 24 * 60 * 60_000;

const withOpenssl = onlyIf(certificate !== undefined, SANITIZED);

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
  if (!certificate) return;
  const asked: string[] = [];
  const { certificate: cert, key } = certificate;
  const options = { cert, key, hostname: "127.0.0.1", port: 0, onListen() {} };
  await using server = Deno.serve(options, ({ method, url }) => {
    asked.push(`${method} ${new URL(url).pathname}`);
    return new Response("");
  });
  assertEquals([(await read(server.addr.port)).serverDateMs, asked], [undefined, []]);
  const { serverDateMs = 0 } = await read(server.addr.port, { asksDate: true });
  assert(Math.abs(serverDateMs - Date.now()) < 60_000, String(serverDateMs));
  assertEquals(asked, ["HEAD /"]);
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
