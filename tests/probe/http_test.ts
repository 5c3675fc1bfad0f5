import { assert, assertEquals, assertLess, assertMatch, assertRejects } from "@std/assert";
import { describeError } from "../../lib/log/log.ts";
import { HttpProbe } from "../../lib/probe/http.ts";
import { ProbePolicy, ProbeRefusedError } from "../../lib/probe/policy.ts";
import { makeCertificate } from "../net/test_authority.ts";
import { FakeTime } from "../fake_time.ts";
import { realUntil } from "../real_deadline.ts";
import { answering, fakePolicy, fakeResolver, policyOf, saying } from "./fake_names.ts";
import { sanitized } from "../sanitized_tests.ts";
import { onlyIf } from "../only_on.ts";
import { type RawPeer } from "../net/raw_server.ts";

const signal = new AbortController().signal;
const certificate = await makeCertificate();

/** A server by TLS, with the certificate that was made. */
function serveTls(
  handle: (request: Request) => Response,
  hostname = "127.0.0.1",
): Deno.HttpServer<Deno.NetAddr> {
  const { certificate: cert = "", key = "" } = certificate ?? {};
  return Deno.serve({ hostname, port: 0, cert, key, onListen() {} }, handle);
}

function probe(
  url: string,
  { policy = fakePolicy(), caCerts = [], signal: ends = signal }: {
    signal?: AbortSignal;
    policy?: ProbePolicy;
    caCerts?: string[];
  } = {},
): Promise<number> {
  return new HttpProbe(policy, { caCerts }).probe(new URL(url), { signal: ends });
}

/** The whole chain of causes, as the log would show it. */
async function failure(probe: () => Promise<number>): Promise<string> {
  return describeError(await assertRejects(probe, Error));
}

Deno.test("HttpProbe.probe() sends one plain request, to addresses of both families", async () => {
  for (const [hostname, host] of [["127.0.0.1", "127.0.0.1"], ["::1", "[::1]"]] as const) {
    await using server = saying("HTTP/1.1 200 OK\r\n\r\n", { hostname });
    await probe(`http://${host}:${server.port}/a?b=c#d`);
    const lines = server.requests.join("").toLowerCase().trimEnd().split("\r\n").sort();
    const [encoding, accept, connection, request, ...others] = lines;
    assertEquals([encoding, accept], ["accept-encoding: identity", "accept: */*"]);
    assertEquals([connection, request], ["connection: close", "get /a?b=c http/1.1"]);
    const agent = "user-agent: mozilla/5.0 (compatible; komari-agent-deno)";
    assertEquals(others, [`host: ${host}:${server.port}`, agent]);
  }
});

/** Redirects `/N` to `/N-1`, by turns to a path and to another host, and answers `/0`. */
async function countDown(path: string, peer: RawPeer): Promise<void> {
  const left = Number(path.slice(1));
  const next = left % 2 === 0 ? `http://other.example:${peer.port}/${left - 1}` : `/${left - 1}`;
  await peer.write(
    left === 0
      ? "HTTP/1.1 200 OK\r\n\r\n"
      : `HTTP/1.1 302 Found\r\nLocation: ${next}\r\nContent-Length: 0\r\n\r\n`,
  );
}

Deno.test("HttpProbe.probe() adds up the time to the heads of all redirects, and no other", async () => {
  using time = new FakeTime();
  await using server = answering(async (path, peer) => {
    time.tick(path === "/2" ? 300 : path === "/1" ? 200 : 100);
    await countDown(path, peer);
  });
  const asked: string[] = [];
  const resolver = fakeResolver((host) => {
    asked.push(host);
    time.tick(1000);
    return ["127.0.0.1"];
  });
  const policy = policyOf(resolver);
  assertEquals(await probe(`http://start.example:${server.port}/2`, { policy }), 600);
  assertEquals(asked, ["start.example", "other.example", "other.example"], "each is admitted");
  assertMatch(server.requests[1] ?? "", new RegExp(`host: other.example:${server.port}\r\n`, "i"));
});

Deno.test("HttpProbe.probe() follows five redirects at most, and none to what the policy refuses", async () => {
  await using server = answering(countDown);
  const policy = fakePolicy({ "other.example": "169.254.1.1" });
  await assertRejects(
    () => probe(`http://start.example:${server.port}/3`, { policy }),
    ProbeRefusedError,
    "Refused to probe other.example",
  );
  assertEquals(server.requests.length, 2);
  const text = await failure(() => probe(`http://127.0.0.1:${server.port}/6`));
  assertEquals(text, `Cannot probe 127.0.0.1:${server.port}: more than 5 redirects`);
  assertEquals(server.requests.length, 2 + 6);
});

Deno.test("HttpProbe.probe() follows each kind of redirect and of location by GET", async () => {
  const table = [
    [301, "?query", "/a/?query"],
    [302, "sibling#part", "/a/sibling"],
    [303, "//127.0.0.1:PORT/without/scheme", "/without/scheme"],
    [307, "HTTP://127.0.0.1:PORT/%E4%B8%AD", "/%E4%B8%AD"],
    // As it is in UTF-8, which many servers send.
    [308, "/\u00e4\u00b8\u00ad\u00e6\u0096\u0087", "/%E4%B8%AD%E6%96%87"],
    [301, "http://\u00e4\u00b8\u00ad.test:PORT/", "/"],
  ] as const;
  for (const [status, location, expected] of table) {
    await using server = answering(async (path, peer) => {
      const field = `Location: ${location.replace("PORT", `${peer.port}`)}`;
      const head = path === "/a/" ? `${status} Moved\r\n${field}` : "200 OK";
      const bytes = Uint8Array.from(`HTTP/1.1 ${head}\r\n\r\n`, (letter) => letter.charCodeAt(0));
      await peer.write(bytes);
    });
    await probe(`http://127.0.0.1:${server.port}/a/`);
    const asked = server.requests.map((head) => head.split(" HTTP")[0]);
    assertEquals(asked, ["GET /a/", `GET ${expected}`]);
  }
});

sanitized.test("HttpProbe.probe() takes a whole head of a status of 200 to 399 for success and nothing else, and names no query", async () => {
  const ok = "HTTP/1.1 200 OK\r\n";
  const statuses = (...all: unknown[]) => all.map((status) => `HTTP/1.1 ${status} Word\r\n\r\n`);
  const elsewhere = [200, 201, 300, 304, 305].map((status) =>
    `HTTP/1.1 ${status} Word\r\nLocation: /0\r\n\r\n`
  );
  const refused = ["ftp://127.0.0.1/", "file:///etc/shells", "http://a:b@127.0.0.1/", "http://"];
  const failing = [
    // No HTTP, cut off, empty, and to where no probe may go.
    ...["SSH-2.0-x\r\n\r\n", "HTTP/1.1 200 OK\r\nServ", "", "\r\n\r\n"],
    ...statuses(101, 400, 401, 404, 500, 503, 599, "999", "000", "+20", "2e2"),
    ...refused.map((to) => `HTTP/1.1 302 Found\r\nLocation: ${to}?secret\r\n\r\n`),
  ];
  const working = [
    ...[...statuses(200, 204, 299, 300, 301, 304, 307, 399), ...elsewhere],
    "HTTP/1.1 301 Moved\r\nLocation:\r\n\r\n",
    // However the body ends.
    `${ok}Content-Length: 10\r\n\r\nx`,
    `${ok}Transfer-Encoding: chunked\r\n\r\n5\r\nab`,
    `${ok}Content-Encoding: gzip\r\n\r\nnonsense`,
  ];
  const answers = [...failing, ...working];
  await using server = answering((path, peer) =>
    peer.write(answers[Number.parseInt(path.slice(1))] ?? "")
  );
  for (const [index, answer] of answers.entries()) {
    const probing = () => probe(`http://127.0.0.1:${server.port}/${index}?secret`);
    if (index >= failing.length) await probing();
    else {
      const text = await failure(probing);
      assert(text.startsWith("Cannot p") && !text.includes("secret"), `${answer}: ${text}`);
    }
  }
});

Deno.test("HttpProbe.probe() leaves a body that has no end unread and hangs up", async () => {
  let sent = 0;
  let hungUp = false;
  await using server = answering(async (_, peer) => {
    await peer.write("HTTP/1.1 200 OK\r\n\r\n");
    while (await peer.write("x".repeat(65_536))) sent += 65_536;
    hungUp = true;
  });
  await probe(`http://127.0.0.1:${server.port}/`);
  await realUntil(() => hungUp);
  assertLess(sent, 16 * 1024 * 1024);
});

sanitized.test("HttpProbe.probe() rejects with the signal's reason when the server is mute, and hangs up", async () => {
  for (const scheme of ["http", "https"]) {
    const controller = new AbortController();
    await using server = answering(() => {
      controller.abort(new Error("enough"));
      return Promise.resolve("keep");
    });
    const mute = probe(`${scheme}://127.0.0.1:${server.port}/`, { signal: controller.signal });
    await assertRejects(() => mute, Error, "enough");
    await realUntil(() => server.open === 0);
  }
});

const withOpenssl = onlyIf(certificate !== undefined);

withOpenssl.test("HttpProbe.probe() verifies TLS: authority, name and address (needs openssl)", async () => {
  if (!certificate) return;
  const { authority } = certificate;
  const answer = () => new Response("x".repeat(100_000));
  await using server = serveTls(answer);
  const { port } = server.addr;
  const caCerts = [authority];
  for (const host of ["localhost", "localhost.", "127.0.0.1", "bücher.test"]) {
    await probe(`https://${host}:${port}/`, { caCerts });
  }
  await using server6 = serveTls(answer, "::1");
  await probe(`https://[::1]:${server6.addr.port}/`, { caCerts });
  const where = `localhost:${port}`;
  const stranger = await failure(() => probe(`https://${where}/`));
  const why = `Cannot probe ${where}: Cannot trust the certificate of localhost: its issuer is`;
  assert(stranger.startsWith(why), stranger);
  await using other = serveTls(answer, "127.0.0.2");
  for (const host of [`other.example:${port}`, `127.0.0.2:${other.addr.port}`]) {
    const wrong = await failure(() => probe(`https://${host}/`, { caCerts }));
    assert(wrong.includes("it is for another name"), wrong);
  }
});
