import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { ResponseError } from "../../lib/net/errors.ts";
import type { Dialer } from "../../lib/net/byte_stream.ts";
import { HttpClient, type HttpRequest, type HttpResponse } from "../../lib/net/http_client.ts";
import { FakeTime, timed } from "../fake_time.ts";
import { sameLater } from "../cases.ts";
import { LoopbackDialer } from "./loopback_dialer.ts";
import { type RawPeer, type RawServer, withRawServer } from "./raw_server.ts";
import { sanitized } from "../sanitized_tests.ts";

const HEAD = "HTTP/1.1 200 OK\r\n";
const ONE = "Content-Length: 1\r\n";
const CHUNKED = "Transfer-Encoding: chunked\r\n\r\n";
/** The longest body by default. */
const LIMIT = 256 * 1024;

interface Client {
  readonly server: RawServer;
  readonly dialer: LoopbackDialer;
  readonly client: HttpClient;
  /** A POST to the server, when nothing else is said. */
  request(request?: Partial<HttpRequest>, signal?: AbortSignal): Promise<HttpResponse>;
  /** The error of such a request. */
  failure(words?: string, request?: Partial<HttpRequest>): Promise<ResponseError>;
}

/** A client and a server; no stream may be left when the client was closed. */
async function withClient<T>(
  serve: (peer: RawPeer, index: number) => Promise<void>,
  use: (client: Client) => Promise<T>,
  dialer = new LoopbackDialer(),
): Promise<T> {
  return await withRawServer(serve, async (server) => {
    const client = new HttpClient({ dialer });
    const usual = { method: "POST", url: `${server.origin}/p?token=t`, headers: [], body: "b" };
    const request: Client["request"] = (request, signal = new AbortController().signal) =>
      client.request({ ...usual, method: "POST", ...request }, { signal });
    const failure: Client["failure"] = (words, asked) =>
      assertRejects(() => request(asked), ResponseError, words);
    try {
      return await use({ server, dialer, client, request, failure });
    } finally {
      client.close();
      assertEquals(dialer.openStreams, 0);
    }
  });
}

/** Answers every request: with its body if nothing else is said. */
const answering = (answer?: string) => async (peer: RawPeer) => {
  for (let asked; (asked = await peer.request()) !== undefined;) {
    if (answer === undefined) await peer.answer(asked.body);
    else await peer.write(answer);
  }
};
const echo = answering();

sanitized.test("HttpClient.request() sends head and body in one write, the whole URL to a proxy, and gives the response", async () => {
  let head = "";
  const serve = async (peer: RawPeer) => {
    head = (await peer.request())?.head ?? "";
    await peer.answer("päng", ["Content-Type: text/plain", "A: b", "a: c"], "418 I'm a teapot");
  };
  await withClient(serve, async ({ request, dialer }) => {
    const { status, headers, text } = await request({ headers: [["user-agent", "x"]], body: "é" });
    assertEquals([status, text, headers.get("a")], [418, "päng", "b, c"]);
    assertMatch(head, /^POST \/p\?token=t HTTP\/1\.1\r\nhost: 127\.0\.0\.1:\d+\r\n/);
    assertMatch(head, /\r\nuser-agent: x\r\n.*content-length: 2\r\n\r\n$/s);
    assertEquals(dialer.writes, 1);
  });
  await withClient(serve, async ({ request, server }) => {
    await request();
    assert(head.startsWith(`POST ${server.origin}/p?token=t HTTP/1.1\r\n`), head);
    assert(head.includes("\r\nproxy-authorization: Basic eA==\r\n"), head);
  }, new LoopbackDialer({ forward: { authorization: "Basic eA==" } }));
});

sanitized.test("HttpClient.request() skips a bounded number of interim responses", async () => {
  const interim = "HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n";
  await withClient(async (peer, index) => {
    await peer.request();
    const many = interim.repeat(index === 0 ? 6 : 7);
    const long = `HTTP/1.1 103 Early Hints\r\nLink: ${"a".repeat(16_000)}\r\n\r\n`.repeat(3);
    await peer.write(`HTTP/1.1 100 Continue\r\n\r\n${index === 2 ? long : many}`);
    await peer.answer("last");
  }, async ({ request, failure }) => {
    assertEquals((await request()).text, "last");
    await failure("interim");
    await failure("the head of the answer is too long");
  });
});

sanitized.test("HttpClient.request() reuses a connection after an answer that leaves no doubt", async () => {
  await withClient(echo, async ({ request, server }) => {
    for (let count = 0; count < 20; count++) {
      assertEquals((await request({ body: `number ${count}` })).text, `number ${count}`);
    }
    assertEquals((await request({ method: "GET", body: "" })).text, "");
    assertEquals(server.accepted, 1);
  });
  await sameLater((answer) =>
    withClient(answering(answer), async ({ request, server, dialer }) => {
      const first = (await request()).text;
      const { openStreams } = dialer;
      return [first, openStreams, (await request()).text, server.accepted];
    }), [
    [`HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n${ONE}\r\na`, ["a", 1, "a", 1]],
    ["HTTP/1.1 204 No Content\r\n\r\n", ["", 1, "", 1]],
    ["HTTP/1.1 304 Not Modified\r\nContent-Length: 50\r\n\r\n", ["", 1, "", 1]],
    [`${HEAD}Connection: Close\r\n${ONE}\r\na`, ["a", 0, "a", 2]],
    [`HTTP/1.0 200 OK\r\n${ONE}\r\na`, ["a", 0, "a", 2]],
    [`${HEAD}${ONE}\r\nab`, ["a", 0, "a", 2]],
    [`${HEAD}${CHUNKED}1\r\na\r\n0\r\n\r\nb`, ["a", 0, "a", 2]],
    [`${HEAD}Content-Length: 9\r\n${CHUNKED}1\r\na\r\n0\r\n\r\n`, ["a", 0, "a", 2]],
  ]);
});

sanitized.test("HttpClient.request() retries once on a new connection when an idle one is closed, never after a new one, nor when a response has begun", async () => {
  // It hangs up without having said so.
  const once = async (peer: RawPeer) => peer.answer((await peer.request())?.body ?? "");
  await withClient(once, async ({ request, server }) => {
    for (const body of ["1", "2", "3"]) {
      assertEquals([(await request({ body })).text, `${server.accepted}`], [body, body]);
    }
  });
  for (const part of ["", "HTTP/1.1 200"]) {
    await withClient(async (peer, index) => {
      await peer.request();
      if (index > 0) return;
      await peer.answer("");
      await peer.request();
      await peer.write(part);
    }, async ({ request, failure, server }) => {
      const tries = part === "" ? 2 : 1;
      await request();
      assertEquals([(await failure()).kind, server.accepted], ["closed", tries]);
      const { kind } = await failure("without an answer");
      assertEquals([kind, server.accepted], ["closed", tries + 1]);
    });
  }
});

sanitized.test("HttpClient.request() closes connections that were idle for 115 s", async () => {
  using time = new FakeTime();
  await withClient(echo, async ({ request, server, dialer }) => {
    await request();
    for (let times = 0; times < 2; times++) {
      time.tick(114_999);
      await request();
      assertEquals(server.accepted, 1);
    }
    time.tick(115_001);
    await request();
    assertEquals([server.accepted, dialer.openStreams], [2, 1]);
    // Also when another server is asked.
    await withRawServer(echo, async (other) => {
      time.tick(115_001);
      await request({ url: other.origin });
      assertEquals(dialer.openStreams, 1);
    });
  });
});

sanitized.test("HttpClient.close() closes idle connections, and lets requests in flight finish", async () => {
  const closed = Promise.withResolvers<void>();
  await withClient(async (peer) => {
    for (let asked; (asked = await peer.request()) !== undefined;) {
      if (asked.body === "slow") await closed.promise;
      await peer.answer(asked.body);
    }
  }, async ({ request, client, dialer }) => {
    const slow = request({ body: "slow" });
    await request();
    assertEquals(dialer.openStreams, 2);
    client.close();
    assertEquals(dialer.openStreams, 1);
    closed.resolve();
    assertEquals((await slow).text, "slow");
    assertEquals(dialer.openStreams, 0);
  });
});

sanitized.test("HttpClient.request() throws the signal's reason at once and closes the connection", async () => {
  const reason = new Error("enough");
  for (const part of ["", `${HEAD}Content-`, `${HEAD}Content-Length: 9\r\n\r\nab`]) {
    const controller = new AbortController();
    await withClient(async (peer) => {
      await peer.request();
      await peer.write(part);
      controller.abort(reason);
      await peer.ended();
    }, async ({ request, dialer, server }) => {
      const error = await assertRejects(() => request({}, controller.signal), Error);
      assertEquals(error, reason);
      assertEquals(dialer.openStreams, 0);
      await assertRejects(() => request({}, controller.signal), Error, "enough");
      assertEquals(server.accepted, 1);
    });
  }
});

sanitized.test("HttpClient.request() throws when a header is invalid, and closes the stream", async () => {
  await withClient((peer) => peer.ended(), async ({ request, dialer }) => {
    await assertRejects(() => request({ headers: [["a", "b\nc"]] }), TypeError, 'header "a"');
    assertEquals(dialer.openStreams, 0);
  });
});

sanitized.test("HttpClient.request() throws when the connection is reset", async () => {
  const reset = new Deno.errors.ConnectionReset("reset by peer");
  const stream = { read: () => Promise.reject(reset), write, close() {} };
  const client = new HttpClient({ dialer: { dial: () => Promise.resolve({ stream }) } });
  const asked = client.request(GET, { signal: new AbortController().signal });
  const { kind, cause } = await assertRejects(() => asked, ResponseError, "connection was lost");
  assertEquals([kind, cause], ["closed", reset]);
});

sanitized.test("HttpClient.request() throws when the answer is none, or breaks a limit", async () => {
  const rows = [
    ["SSH-2.0-OpenSSH_9.6\r\n\r\n", "malformed", "not HTTP"],
    [`${HEAD}Content-`, "closed", "without an answer"],
    [`${HEAD}Content-Length: 9\r\n\r\nabc`, "closed", "in the middle"],
    [`${HEAD}${CHUNKED}5\r\nab`, "closed", "in the middle"],
    [`${HEAD}${CHUNKED}oh\r\n`, "malformed", "malformed"],
    [`${HEAD}Content-Length: -1\r\n\r\n`, "malformed", "Length"],
    [`${HEAD}Transfer-Encoding: gzip\r\n\r\n`, "malformed", "coding"],
    [`${HEAD}Content-Encoding: gzip\r\n\r\na`, "malformed", 'encoding "gzip"'],
    ["HTTP/1.1 101 Yes\r\n\r\n", "malformed", "101"],
    [`${HEAD}${"A: b\r\n".repeat(20_000)}`, "too long", "head"],
    [`${HEAD}Content-Length: ${LIMIT + 1}\r\n\r\n`, "too long", `${LIMIT}`],
    [`${HEAD}\r\n${"a".repeat(LIMIT + 1)}`, "too long", `longer than ${LIMIT} bytes`],
    [`${HEAD}${CHUNKED}${`1000\r\n${"a".repeat(4096)}\r\n`.repeat(65)}`, "too long", "longer than"],
  ] as const;
  for (const [answer, kind, words] of rows) {
    await withClient(async (peer) => {
      await peer.request();
      await peer.write(answer);
      // The client needs no end of what is malformed or too long.
      if (kind !== "closed") await peer.ended();
    }, async ({ failure, dialer }) => {
      assertEquals([(await failure(words)).kind, dialer.openStreams], [kind, 0]);
    });
  }
});

sanitized.test("HttpClient.request() reads long responses, longer ones where the request allows them, and those that end with the connection", async () => {
  const text = "abcdefgh".repeat(LIMIT / 8);
  const twice = text + text;
  const answers: Record<string, string> = { b: text, longer: twice, "too long": `${twice}a` };
  await withClient(async (peer) => {
    for (let asked; (asked = await peer.request()) !== undefined;) {
      if (asked.body === "ends") return void await peer.write(`${HEAD}\r\n${text}`);
      await peer.answer(answers[asked.body] ?? "");
    }
  }, async ({ request, failure }) => {
    const limitBytes = 2 * LIMIT;
    assert((await request()).text === text);
    assert((await request({ body: "ends" })).text === text);
    assert((await request({ limitBytes, body: "longer" })).text === twice);
    await failure("longer than", { limitBytes, body: "too long" });
  });
});

const GET = { method: "GET", url: "http://panel.test/", headers: [] } as const;
const write = ({ length }: Uint8Array) => Promise.resolve(length);

/** Opens streams that give this, a byte a read, and take whatever is written. */
function byteByByte(text: string): Dialer {
  return {
    dial: () => {
      const bytes = new TextEncoder().encode(text);
      let at = 0;
      const read = (into: Uint8Array) => {
        if (at === bytes.length) return Promise.resolve(null);
        into.set(bytes.subarray(at, ++at));
        return Promise.resolve(1);
      };
      return Promise.resolve({ stream: { read, write, close() {} } });
    },
  };
}

timed.test("HttpClient.request() reads few bytes at a time slowly, over however many connections they come", async (time) => {
  const head = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 30\r\n\r\n";
  const client = new HttpClient({ dialer: byteByByte(head + "x".repeat(30)) });
  const tookMs = async () => {
    const asked = client.request(GET, { signal: new AbortController().signal });
    return await time.until(asked, { withinMs: 60_000, stepMs: 10 });
  };
  const reads = head.length + 30;
  assert(reads < 100 && await tookMs() < 40, "the first hundred at once");
  // A pause of 40 ms after each that is above a hundred, of which one is forgotten meanwhile.
  const ms = await tookMs();
  assert(ms > 1_000, `${ms} ms`);
  // After a while it is as before.
  time.tick(60_000);
  assert(await tookMs() < 40);
});
