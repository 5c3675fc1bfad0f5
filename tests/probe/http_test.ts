import { assert, assertEquals, assertLess, assertMatch, assertRejects } from "@std/assert";
import { describeError } from "../../lib/log/log.ts";
import { HttpProbe } from "../../lib/probe/http.ts";
import { ProbePolicy, ProbeRefusedError } from "../../lib/probe/policy.ts";
import { makeCertificate } from "../net/test_authority.ts";
import { FakeTime } from "../fake_time.ts";
import { realUntil } from "../real_deadline.ts";
import { answering, fakePolicy, saying } from "./fake_names.ts";
import { sameLater } from "../cases.ts";
import { sanitized } from "../sanitized_tests.ts";
import { onlyIf } from "../only_on.ts";
import type { RawPeer } from "../net/raw_server.ts";

const OK = "HTTP/1.1 200 OK\r\n\r\n";

const never = new AbortController().signal;

function probe(
  url: string,
  { policy = fakePolicy(), signal = never, ...trust }: {
    policy?: ProbePolicy;
    signal?: AbortSignal;
    caCerts?: string[];
  } = {},
): Promise<number> {
  return new HttpProbe(policy, trust).probe(new URL(url), { signal });
}

/** The whole chain of causes, as the log would show it. */
async function failure(...probing: Parameters<typeof probe>): Promise<string> {
  return describeError(await assertRejects(() => probe(...probing), Error));
}

Deno.test("HttpProbe.probe() sends one plain request, to addresses of both families", async () => {
  for (const [hostname, host] of [["127.0.0.1", "127.0.0.1"], ["::1", "[::1]"]] as const) {
    await using server = saying(OK, { hostname });
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
    left === 0 ? OK : `HTTP/1.1 302 Found\r\nLocation: ${next}\r\nContent-Length: 0\r\n\r\n`,
  );
}

Deno.test("HttpProbe.probe() adds up the time to the heads of all redirects, and no other", async () => {
  using time = new FakeTime();
  await using server = answering(async (path, peer) => {
    time.tick(path === "/2" ? 300 : path === "/1" ? 200 : 100);
    await countDown(path, peer);
  });
  const asked: string[] = [];
  const policy = fakePolicy((host) => {
    asked.push(host);
    time.tick(1000);
    return ["127.0.0.1"];
  });
  assertEquals(await probe(`http://start.example:${server.port}/2`, { policy }), 600);
  assertEquals(asked, ["start.example", "other.example", "other.example"], "each is admitted");
  assertMatch(server.requests[1] ?? "", new RegExp(`host: other.example:${server.port}\r\n`, "i"));
});

Deno.test("HttpProbe.probe() follows five redirects at most, and none to what the policy refuses", async () => {
  await using server = answering(countDown);
  const policy = fakePolicy((host) => [host === "other.example" ? "169.254.1.1" : "127.0.0.1"]);
  await assertRejects(
    () => probe(`http://start.example:${server.port}/3`, { policy }),
    ProbeRefusedError,
    "Refused to probe other.example",
  );
  assertEquals(server.requests.length, 2);
  const text = await failure(`http://127.0.0.1:${server.port}/6`);
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
  const outcomeOf = async (answer: string) => {
    await using server = saying(answer);
    return await probe(`http://127.0.0.1:${server.port}/?secret`).then(() => "", describeError);
  };
  const statuses = (text: string, field = "") =>
    text.split(" ").map((status) => `HTTP/1.1 ${status} Word\r\n${field}\r\n`);
  const refused = ["ftp://127.0.0.1/", "file:///etc/shells", "http://a:b@127.0.0.1/", "http://"];
  const failing = [
    // No HTTP, cut off, empty, and to where no probe may go.
    ...["SSH-2.0-x\r\n\r\n", "HTTP/1.1 200 OK\r\nServ", "", "\r\n\r\n"],
    ...statuses("101 400 401 404 500 503 599 999 000 +20 2e2"),
    ...refused.flatMap((to) => statuses("302", `Location: ${to}?secret\r\n`)),
  ];
  for (const answer of failing) {
    const text = await outcomeOf(answer);
    assert(text.startsWith("Cannot p") && !text.includes("secret"), `${answer}: ${text}`);
  }
  const working = [
    ...statuses("200 204 299 300 301 304 307 399"),
    ...statuses("200 201 300 304 305", "Location: /0\r\n"),
    ...statuses("301", "Location:\r\n"),
    // However the body ends.
    ...statuses("200", "Content-Length: 10\r\n\r\nx"),
    ...statuses("200", "Transfer-Encoding: chunked\r\n\r\n5\r\nab"),
    ...statuses("200", "Content-Encoding: gzip\r\n\r\nnonsense"),
  ];
  await sameLater(outcomeOf, working.map((answer) => [answer, ""]));
});

Deno.test("HttpProbe.probe() leaves a body that has no end unread and hangs up", async () => {
  let sent = 0;
  let hungUp = false;
  await using server = answering(async (_, peer) => {
    await peer.write(OK);
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

const certificate = await makeCertificate();

const withOpenssl = onlyIf(certificate !== undefined);

withOpenssl.test("HttpProbe.probe() verifies TLS: authority, name and address (needs openssl)", async () => {
  const caCerts = [certificate?.authority ?? ""];
  const serve = (hostname: string) => saying(OK + "x".repeat(100_000), { hostname, certificate });
  await using server = serve("127.0.0.1");
  await using server6 = serve("::1");
  await using other = serve("127.0.0.2");
  const { port } = server;
  for (const host of ["localhost", "localhost.", "127.0.0.1", "bücher.test"]) {
    await probe(`https://${host}:${port}/`, { caCerts });
  }
  await probe(`https://[::1]:${server6.port}/`, { caCerts });
  const stranger = await failure(`https://localhost:${port}/`);
  const why = "Cannot trust the certificate of localhost: its issuer is";
  assert(stranger.startsWith(`Cannot probe localhost:${port}: ${why}`), stranger);
  for (const host of [`other.example:${port}`, `127.0.0.2:${other.port}`]) {
    const wrong = await failure(`https://${host}/`, { caCerts });
    assert(wrong.includes("it is for another name"), wrong);
  }
});
