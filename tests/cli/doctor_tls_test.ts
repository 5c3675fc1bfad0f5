import { assertEquals, assertStringIncludes } from "@std/assert";
import { certificateText, checkTls } from "../../lib/cli/doctor_tls.ts";
import { type Way, wayTo as wayOf } from "../../lib/cli/doctor_way.ts";
import type { Certificate } from "../../lib/net/certificate.ts";
import { NetDialer } from "../../lib/net/dialer.ts";
import { FakeTime } from "../fake_time.ts";
import { fakeConnect, realConnect } from "../net/fake_connect.ts";
import { makeCertificate } from "../net/test_authority.ts";
import { onlyIf } from "../only_on.ts";
import { TempFolder } from "../temp_folder.ts";
import { configOf } from "./fake_context.ts";
import { serving } from "./panel_to_check.ts";

const DAY_MS = 24 * 60 * 60_000;
const NOW = Date.UTC(2024, 1, 29, 12);

const CERTIFICATE: Certificate = {
  tlsVersion: "TLSv1.3",
  issuer: "An Authority",
  names: ["a.example", "b.example"],
  isSelfSigned: false,
  isAlone: false,
  namesIssuersFile: false,
  validFromMs: NOW - DAY_MS,
  validUntilMs: NOW + 80 * DAY_MS,
};

function wayTo(url: string, ...args: readonly string[]): Way {
  return wayOf(configOf(["doctor", "-e", url, "-t", "x", ...args]), []);
}

Deno.test("certificateText() names version, issuer, validity and up to four names", () => {
  using _ = new FakeTime({ now: NOW });
  const names = ["a", "b", "c", "d", "e"];
  const table: [change: Partial<Certificate>, text: string][] = [
    [{}, "TLSv1.3, issued by An Authority, valid for 80 days more, for a.example, b.example"],
    [
      { isSelfSigned: true, names: [], validUntilMs: NOW + DAY_MS - 1 },
      "TLSv1.3, self-signed by An Authority, valid for 0 days more, for no name",
    ],
    [
      { names: names.slice(0, 4), validUntilMs: NOW - 10 * DAY_MS - 60_000 },
      "TLSv1.3, issued by An Authority, expired 10 days before 2024-02-29, the date here, for a, b, " +
      "c, d",
    ],
    [
      { names, validFromMs: NOW + DAY_MS },
      "TLSv1.3, issued by An Authority, valid from 2024-03-01, and the date here is 2024-02-29, " +
      "for a, b, c, d…",
    ],
    [
      { names: ["a"], validFromMs: NOW + 2 * 60 * 60_000 },
      "TLSv1.3, issued by An Authority, valid from 2024-02-29 14:00 UTC, and the date here is " +
      "2024-02-29 12:00 UTC, for a",
    ],
    [
      { names: ["a"], serverDateMs: NOW },
      "TLSv1.3, issued by An Authority, valid for 80 days more, for a; by the clock of that server it " +
      "is 2024-02-29 12:00 UTC",
    ],
  ];
  for (const [change, text] of table) {
    assertEquals(certificateText({ ...CERTIFICATE, ...change }), text);
  }
});

Deno.test("checkTls() warns of a panel without it, unless that is on this machine", async () => {
  const { signal } = new AbortController();
  const check = async (url: string) => await checkTls(wayTo(url), signal);
  for (const host of ["127.0.0.1", "localhost", "[::1]"]) {
    const { status, text } = await check(`http://${host}:8080`);
    assertEquals([status, text], ["ok", "not needed: the panel is on this machine"]);
  }
  const { status, text, advice } = await check("http://p.example");
  assertEquals([status, advice], ["warning", "use an https:// address, if it has one"]);
  assertStringIncludes(text, "unencrypted");
});

const [known, other] = await Promise.all([30, 30].map((days) => makeCertificate({ days })));

onlyIf(known !== undefined).test(
  "checkTls() tries each address of a name, which may have old certificates",
  async () => {
    using folder = new TempFolder();
    const { authority = "" } = known ?? {};
    const path = `${folder.path}/ca.pem`;
    await Deno.writeTextFile(path, authority);
    const { certificate: cert = "", key = "" } = known ?? {};
    using first = Deno.listenTls({ hostname: "127.0.0.1", port: 0, cert, key });
    const { port } = first.addr;
    const old = { cert: other?.certificate ?? "", key: other?.key ?? "" };
    using second = Deno.listenTls({ hostname: "127.0.0.2", port, ...old });
    const serving = [first, second].map(async (listener) => {
      for await (const connection of listener) connection.handshake().catch(() => {});
    });
    const { signal } = new AbortController();
    const of = async (...addresses: string[]) => {
      const way = wayTo(`https://panel.test:${port}`, "--ca-cert", path);
      way.addresses = addresses;
      return await checkTls(way, signal);
    };
    assertEquals((await of("127.0.0.1")).status, "ok");
    const beside = await of("127.0.0.1", "127.0.0.2");
    assertEquals(beside.status, "warning");
    assertStringIncludes(beside.text, "; at 127.0.0.2, another address of the name: Cannot trust");
    assertStringIncludes(
      beside.causes?.[0] ?? "",
      "if 127.0.0.2 is another machine, or an old one",
    );
    const before = await of("127.0.0.2", "127.0.0.1");
    assertEquals(before.status, "failed");
    assertStringIncludes(before.text, "so it is at 127.0.0.2, and not at 127.0.0.1, another");
    assertStringIncludes(
      before.causes?.[0] ?? "",
      "if 127.0.0.2 is another machine, or an old one",
    );
    const shown = (await of("127.0.0.1", "127.0.0.3")).status;
    assertEquals(shown, "ok", "another check says what is dead");
    first.close();
    second.close();
    await Promise.all(serving);
  },
);

Deno.test("checkTls() ends soon when the server takes the connection and says nothing", async () => {
  const server = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const connections = Array.fromAsync(server);
  using time = new FakeTime();
  const { signal } = new AbortController();
  const checking = checkTls(wayTo(`https://127.0.0.1:${server.addr.port}`), signal);
  await time.until(checking, { withinMs: 60_000, stepMs: 500 });
  assertEquals((await checking).status, "failed");
  server.close();
  for (const connection of await connections) connection.close();
});

Deno.test("checkTls() takes TLS that works for good, though the certificate can't be read", async () => {
  class OnceDialer extends NetDialer {
    override connect() {
      return Promise.reject(new Error("no second connection"));
    }
    override dial(url: URL) {
      if (url.hostname === "bad.example") return Promise.reject(new Error("no connection at all"));
      const none = () => Promise.resolve(0);
      return Promise.resolve({ stream: { read: none, write: none, close() {} } });
    }
  }
  const { signal } = new AbortController();
  const check = async (host: string, anyCertificate = false) =>
    await checkTls({
      ...wayTo(`https://${host}`, ...anyCertificate ? ["--ignore-unsafe-cert"] : []),
      dialer: new OnceDialer(),
    }, signal);
  const unread = "until when the certificate is valid can't be read";
  assertEquals(await check("p.example"), { status: "ok", text: unread, advice: undefined });
  const any = await check("p.example", true);
  assertEquals([any.status, any.text], ["warning", `any certificate is trusted (${unread})`]);
  const { status, text } = await check("bad.example");
  assertEquals([status, text], ["failed", "no connection at all"]);
});

onlyIf(known !== undefined).test(
  "checkTls() names the usual address of TLS where a port has none and a panel answers there",
  async () => {
    using folder = new TempFolder();
    const path = `${folder.path}/ca.pem`;
    const { authority = "", certificate: cert = "", key = "" } = known ?? {};
    await Deno.writeTextFile(path, authority);
    const { signal } = new AbortController();
    const any = { hostname: "127.0.0.1", port: 0, onListen: () => {} };
    let answer: unknown = "plain";
    await using plain = Deno.serve(any, () => Response.json(answer));
    const port = plain.addr.port;
    const paths: string[] = [];
    const check = async (answer: unknown) => {
      await using server = Deno.serve({ ...any, cert, key }, ({ url, headers }) => {
        const { pathname, search } = new URL(url);
        paths.push(pathname + search + (headers.get("x-secret") ?? ""));
        return Response.json(answer);
      });
      using _ = fakeConnect((options) =>
        realConnect({ ...options, port: options.port === 443 ? server.addr.port : options.port })
      );
      const url = `https://panel.test:${port}/x/`;
      const way = wayTo(url, "--ca-cert", path, "--header", "X-Secret: secret");
      way.addresses = ["127.0.0.1"];
      return await checkTls(way, signal);
    };
    const there = await check({ status: "success", data: { version: "1.1.8" } });
    assertStringIncludes(there.text, "; a Komari panel answers at https://panel.test/x");
    assertEquals([there.status, there.advice], ["failed", "write https://panel.test/x into -e"]);
    const other = await check({ hello: "world" });
    assertEquals(other.text.includes("answers at"), false);
    assertStringIncludes(other.causes?.[1] ?? "", `write http://panel.test:${port}/x into -e`);
    assertEquals(new Set(paths), new Set(["/x/api/version"]), "nothing secret is sent");
    answer = { status: "success", data: { version: "1.1.8" } };
    const here = await check({ hello: "world" });
    assertStringIncludes(here.text, `; a Komari panel answers at http://panel.test:${port}/x`);
    assertStringIncludes(here.advice ?? "", `if it has none, write http://panel.test:${port}/x`);
  },
);

onlyIf(known !== undefined).test(
  "checkTls() knows a server that waits for the line of a load balancer",
  async () => {
    const { certificate: cert = "", key = "" } = known ?? {};
    const any = { hostname: "127.0.0.1", port: 0, onListen: () => {} };
    await using behind = Deno.serve({ ...any, cert, key }, () => new Response("x"));
    const asked: string[] = [];
    await using server = serving(async (client) => {
      const buffer = new Uint8Array(4096);
      const count = await client.read(buffer) ?? 0;
      const [line = ""] = new TextDecoder().decode(buffer.subarray(0, count)).split("\r\n");
      asked.push(line);
      if (!line.startsWith("PROXY ")) return;
      const tls = await Deno.connect({ hostname: "127.0.0.1", port: behind.addr.port });
      await tls.write(buffer.subarray(line.length + 2, count));
      await Promise.allSettled([
        client.readable.pipeTo(tls.writable),
        tls.readable.pipeTo(client.writable),
      ]);
    });
    const { signal } = new AbortController();
    const { text, advice } = await checkTls(wayTo(`https://${server.host}`), signal);
    assertStringIncludes(text, "; behind a line of the PROXY protocol");
    assertStringIncludes(advice ?? "", "no proxy_protocol in its listen line");
    assertEquals(asked.filter((line) => line.startsWith("PROXY ")), ["PROXY UNKNOWN"]);
  },
);
