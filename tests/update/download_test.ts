import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { delay } from "@std/async/delay";
import { describeError } from "../../lib/log/log.ts";
import type { DialerOptions } from "../../lib/net/dialer.ts";
import { Downloads } from "../../lib/update/download.ts";
import { cases } from "../cases.ts";
import { FakeTime } from "../fake_time.ts";
import { startHttpProxy } from "../net/fake_proxies.ts";
import { makeCertificate } from "../net/test_authority.ts";

const ON_LOOPBACK = { hostname: "127.0.0.1", port: 0, onListen() {} };

function text(url: string, options: Partial<DialerOptions> = {}): Promise<string> {
  const downloads = new Downloads({ proxies: {}, caCerts: [], ...options });
  return downloads.text(url, { maxBytes: 100, signal: new AbortController().signal });
}

/** The error's message with those of its causes. */
async function failure(promise: Promise<unknown>): Promise<string> {
  return describeError(await assertRejects(() => promise, Error, "Cannot download"));
}

function redirect(location: string): Response {
  return new Response(null, { status: 302, headers: { location } });
}

/** Answers by the path's first word, with the rest of it. */
const ANSWERS: Readonly<Record<string, (rest: string) => Response>> = {
  bytes: (count) => new Response("x".repeat(Number(count))),
  endless: () => new Response(new ReadableStream({ pull: (it) => it.enqueue(new Uint8Array(64)) })),
  redirects: (count) => redirect(count === "1" ? "/bytes/5" : `/redirects/${Number(count) - 1}`),
  to: (location) => redirect(location),
  // Of what redirects, one that does not say where.
  status: (status) =>
    new Response(status === "404" ? "<html>" : null, {
      status: Number(status),
      headers: status === "304" ? {} : { location: "/bytes/5" },
    }),
};

/** What is asked for, and how that ends. */
const CASES = cases(`
  /redirects/5                    → xxxxx
  /redirects/6                    → more than 5 redirects
  /to/file:///etc/passwd          → redirects from HTTPS to another protocol
  /to/data:,x                     → redirects from HTTPS to another protocol
  /to/http://                     → redirects from HTTPS to another protocol
  /to/http://releases.example/x   → plain HTTP to releases.example is refused
  http://releases.example/x       → plain HTTP to releases.example is refused
  http://[::ffff:8.8.8.8]/x       → is refused
  /bytes/101                      → longer than 100 bytes
  /endless/                       → longer than 100 bytes`);
const STATUSES = [201, 204, 299, 304, 400, 404, 500, 503].map((it) =>
  [`/status/${it}`, `answered ${it}`] as const
);

Deno.test("Downloads.text() follows at most five redirects, to HTTPS and HTTP on loopback only, past no proxy, and hides the query", async () => {
  await using proxy = startHttpProxy();
  await using server = Deno.serve(ON_LOOPBACK, ({ url }) => {
    const [, what = "", rest = ""] = /^\/(\w+)\/(.*)$/.exec(new URL(url).pathname) ?? [];
    return ANSWERS[what]?.(rest) ?? new Response(null, { status: 599 });
  });
  const proxies = { http: `http://127.0.0.1:${proxy.port}` };
  for (const [path, end] of [...CASES, ...STATUSES]) {
    const url = new URL(path, `http://127.0.0.1:${server.addr.port}`).href;
    const asked = text(`${url}?token=secret`, { proxies });
    if (end === "xxxxx") assertEquals(await asked, end);
    else {
      const words = await failure(asked);
      assert(words.startsWith(`Cannot download ${url}: `) && !words.includes("secret"), words);
      assertStringIncludes(words, end, path);
    }
  }
  assertEquals(proxy.requests, []);
});

Deno.test("Downloads.text() throws when all redirects together take too long", async () => {
  let asked = Promise.withResolvers<void>();
  await using server = Deno.serve(ON_LOOPBACK, async () => {
    asked.resolve();
    await delay(20_000);
    return redirect("/again");
  });
  using time = new FakeTime();
  const failing = failure(text(`http://127.0.0.1:${server.addr.port}/`));
  for (let seconds = 0; seconds < 60; seconds += 20) {
    await asked.promise;
    asked = Promise.withResolvers();
    await time.run(20_000);
  }
  assertStringIncludes(await failing, "no answer within 60 s");
});

Deno.test("Downloads verify certificates and never leave HTTPS", async () => {
  const certificate = await makeCertificate();
  if (certificate === undefined) return console.log("skipped: there is no openssl");
  const { authority, certificate: cert, key } = certificate;
  await using server = Deno.serve(
    { ...ON_LOOPBACK, cert, key },
    ({ url }) =>
      url.endsWith("/leave") ? redirect("http://127.0.0.1:9/") : new Response("verified"),
  );
  const origin = `https://127.0.0.1:${server.addr.port}`;
  const trusting = { caCerts: [authority] };
  assertEquals(await text(`${origin}/x`, trusting), "verified");
  assertStringIncludes(await failure(text(`${origin}/leave`, trusting)), "from HTTPS to");
  assertStringIncludes(await failure(text(`${origin}/x`)), "certificate");
});
