import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import type { ProxyUrls } from "../../lib/parse/proxy.ts";
import { delay } from "@std/async/delay";
import { describeError } from "../../lib/log/log.ts";
import { Downloads } from "../../lib/update/download.ts";
import { startHttpProxy } from "../net/fake_proxies.ts";
import { FakeTime } from "../fake_time.ts";
import { makeCertificate } from "../net/test_authority.ts";
import { TempFolder } from "../temp_folder.ts";

type Answer = (request: Request) => Response | Promise<Response>;

/** A server of its own to download from. */
class Server implements AsyncDisposable {
  readonly downloads: Downloads;
  readonly origin: string;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor(answer: Answer, proxies: ProxyUrls = {}) {
    this.#server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, answer);
    this.origin = `http://127.0.0.1:${this.#server.addr.port}`;
    this.downloads = new Downloads({ proxies, caCerts: [] });
  }

  text(path = "", signal = never()): Promise<string> {
    return text(this.downloads, this.origin + path, signal);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#server.shutdown();
  }
}

const never = () => new AbortController().signal;

function text(downloads: Downloads, url: string, signal = never()): Promise<string> {
  return downloads.text(url, { maxBytes: 100, signal });
}

/** The error's message with those of its causes. */
async function failure(promise: Promise<unknown>): Promise<string> {
  return describeError(await assertRejects(() => promise, Error, "Cannot download"));
}

Deno.test("Downloads.text() follows at most five redirects, to HTTP and HTTPS only", async () => {
  const answer: Answer = ({ url }) => {
    const { pathname, search } = new URL(url);
    const rest = Number(pathname.slice(1));
    if (rest === 0) return new Response("there");
    const location = search === "" ? `/${rest - 1}` : decodeURIComponent(search.slice(1));
    return new Response(null, { status: 302, headers: { location } });
  };
  await using server = new Server(answer);
  assertEquals(await server.text("/5"), "there");
  assertStringIncludes(await failure(server.text("/6")), "more than 5 redirects");
  for (const location of ["file:///etc/passwd", "data:,x", "http://"]) {
    const words = await failure(server.text(`/1?${encodeURIComponent(location)}`));
    assertStringIncludes(words, "redirects from HTTPS to another protocol");
  }
});

Deno.test("Downloads.text() follows no answer but a redirect, and throws without the query", async () => {
  for (const status of [201, 204, 299, 304, 400, 404, 500, 503]) {
    // Of what redirects, one that does not say where.
    const headers: HeadersInit = status === 304 ? {} : { location: "/there" };
    const answer: Answer = ({ url }) =>
      url.endsWith("/there")
        ? new Response("there")
        : new Response(status === 404 ? "<html>" : null, { status, headers });
    await using server = new Server(answer);
    const words = await failure(server.text("/x?token=secret"));
    assertStringIncludes(words, `/x: 127.0.0.1:`);
    assertStringIncludes(words, `answered ${status}`);
    assertEquals(words.includes("secret"), false);
  }
});

Deno.test("Downloads.text() throws when the text is too long or endless", async () => {
  const pull = (controller: ReadableStreamDefaultController) =>
    controller.enqueue(new Uint8Array(64));
  for (const body of [() => new ReadableStream({ pull }), () => "x".repeat(101)]) {
    await using server = new Server(() => new Response(body()));
    assertStringIncludes(await failure(server.text()), "longer than 100 bytes");
  }
});

Deno.test("Downloads.text() throws when all redirects together take too long", async () => {
  let asked = Promise.withResolvers<void>();
  const slow = async () => {
    asked.resolve();
    await delay(20_000);
    return new Response(null, { status: 302, headers: { location: "/again" } });
  };
  await using server = new Server(slow);
  using time = new FakeTime();
  const failing = failure(server.text());
  for (let seconds = 0; seconds < 60; seconds += 20) {
    await asked.promise;
    asked = Promise.withResolvers();
    await time.run(20_000);
  }
  assertStringIncludes(await failing, "no answer within 60 s");
});

/** A file of its own to download into. */
class Target extends TempFolder {
  readonly filePath = `${this.path}/file`;
  readonly file: Deno.FsFile = Deno.openSync(this.filePath, { write: true, create: true });

  override [Symbol.dispose](): void {
    this.file.close();
    super[Symbol.dispose]();
  }
}

Deno.test("Downloads.file() writes at most the given number of bytes", async () => {
  const bytes = crypto.getRandomValues(new Uint8Array(60_000));
  await using server = new Server(() => new Response(bytes));
  const { origin, downloads } = server;
  for (const maxBytes of [59_999, 60_000, 60_001]) {
    using target = new Target();
    const downloading = downloads.file(origin, { file: target.file, maxBytes, signal: never() });
    if (maxBytes < 60_000) {
      assertStringIncludes(await failure(downloading), "does not have 59999 bytes");
      assert((await Deno.stat(target.filePath)).size <= maxBytes);
    } else {
      await downloading;
      assertEquals(await Deno.readFile(target.filePath), bytes);
    }
  }
});

Deno.test("Downloads refuse plain HTTP except on loopback", async () => {
  const away = "http://releases.example/x";
  const answer = () => new Response(null, { status: 302, headers: { location: away } });
  await using proxy = startHttpProxy();
  const http = `http://127.0.0.1:${proxy.port}`;
  {
    await using server = new Server(answer, { http });
    const { downloads } = server;
    assertStringIncludes(await failure(server.text("/x")), "is refused");
    const shown = await failure(text(downloads, "http://releases.example/x?token=secret"));
    assertStringIncludes(shown, "plain HTTP to releases.example is refused");
    assertStringIncludes(await failure(text(downloads, "http://[::ffff:8.8.8.8]/x")), "is refused");
  }
  assertEquals(proxy.requests, []);
});

Deno.test("Downloads verify certificates and never leave HTTPS", async () => {
  const certificate = await makeCertificate();
  if (certificate === undefined) return console.log("skipped: there is no openssl");
  const { authority, certificate: cert, key } = certificate;
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, cert, key, onListen() {} },
    ({ url }) =>
      url.endsWith("/leave")
        ? new Response(null, { status: 302, headers: { location: "http://127.0.0.1:9/" } })
        : new Response("verified"),
  );
  const origin = `https://127.0.0.1:${server.addr.port}`;
  const trusting = new Downloads({ proxies: {}, caCerts: [authority] });
  const strict = new Downloads({ proxies: {}, caCerts: [] });
  assertEquals(await text(trusting, `${origin}/x`), "verified");
  assertStringIncludes(await failure(text(trusting, `${origin}/leave`)), "from HTTPS to");
  assertStringIncludes(await failure(text(strict, `${origin}/x`)), "certificate");
});
