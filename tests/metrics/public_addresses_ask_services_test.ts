import { assert, assertEquals } from "@std/assert";
import { queryServices } from "../../lib/metrics/public_addresses.ts";

const NEVER = new AbortController().signal;

/** Real servers on loopback, one per handler; ended with the test. */
class Services implements AsyncDisposable {
  readonly urls: string[] = [];
  readonly asked: number[] = [];
  readonly #servers: Deno.HttpServer<Deno.NetAddr>[] = [];
  readonly #mute = Promise.withResolvers<Response>();

  constructor(
    ...handlers: ((request: Request, mute: Promise<Response>) => Response | Promise<Response>)[]
  ) {
    for (const [index, handle] of handlers.entries()) {
      const server = Deno.serve(
        { hostname: "127.0.0.1", port: 0, onListen: () => {} },
        (request) => {
          this.asked.push(index);
          return handle(request, this.#mute.promise);
        },
      );
      this.#servers.push(server);
      this.urls.push(`http://127.0.0.1:${server.addr.port}/ip?key=secret`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#mute.resolve(new Response());
    await Promise.all(this.#servers.map((server) => server.shutdown()));
  }
}

function say(text: string, init?: ResponseInit) {
  return () => new Response(text, init);
}

function redirectTo(location: string): Response {
  return new Response(null, { status: 302, headers: { location } });
}

const mute = (_: Request, never: Promise<Response>) => never;

Deno.test("queryServices() gives the first good answer and who gave it", async () => {
  await using services = new Services(say("9.9.9.9\n"));
  const told = await queryServices(services.urls, 4, { fetch, signal: NEVER });
  const [url = ""] = services.urls;
  assertEquals(told, { address: "9.9.9.9", host: new URL(url).host });
});

Deno.test("queryServices() passes over whatever is no good answer", async () => {
  await using services = new Services(
    say("9.9.9.9", { status: 500 }),
    ({ url }) => url.endsWith("/login") ? new Response("9.9.9.9") : redirectTo("/login"),
    say("<html>log in</html>"),
    say("10.0.0.1"),
    say("2620:fe::fe"),
    say("9.9.9.9" + " ".repeat(1024)),
    say(""),
    say("ip=8.8.4.4\n"),
  );
  const refused = ["http://127.0.0.1:1/", "no url"];
  const told = await queryServices([...refused, ...services.urls], 4, { fetch, signal: NEVER });
  assertEquals(told?.address, "8.8.4.4");
  assertEquals(services.asked.toSorted(), [0, 1, 2, 3, 4, 5, 6, 7]);
});

Deno.test("queryServices() asks three at once and gives the slow ones up for the first good answer", async () => {
  await using services = new Services(mute, mute, say("9.9.9.9"), say("8.8.8.8"));
  const told = await queryServices(services.urls, 4, { fetch, signal: NEVER });
  assertEquals(told?.address, "9.9.9.9");
  assertEquals(services.asked.includes(3), false);
});

Deno.test("queryServices() asks no fourth while three are mute, and ends when it is aborted", async () => {
  const stop = new AbortController();
  const asked: string[] = [];
  const told = queryServices(["http://a/", "http://b/", "http://c/", "http://d/"], 4, {
    fetch: (url, { signal }) => {
      asked.push(url);
      const { promise, reject } = Promise.withResolvers<Response>();
      signal?.addEventListener("abort", () => reject(signal.reason));
      return promise;
    },
    signal: stop.signal,
  });
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
  assertEquals(asked, ["http://a/", "http://b/", "http://c/"]);
  stop.abort();
  assertEquals(await told, undefined);
  assertEquals(asked.length, 3);
});

Deno.test("queryServices() knows nothing when nobody does", async () => {
  assertEquals(await queryServices([], 4, { fetch, signal: NEVER }), undefined);
  await using services = new Services(say("no idea"));
  assertEquals(await queryServices(services.urls, 4, { fetch, signal: NEVER }), undefined);
});

Deno.test("queryServices() asks nobody when it was aborted before", async () => {
  await using services = new Services(say("9.9.9.9"));
  const told = await queryServices(services.urls, 4, { fetch, signal: AbortSignal.abort() });
  assertEquals(told, undefined);
  assertEquals(services.asked, []);
});

Deno.test("queryServices() stops reading an endless answer", async () => {
  let sent = 0;
  const ended = Promise.withResolvers<void>();
  const endless = () =>
    new Response(
      new ReadableStream({
        pull(controller) {
          sent++;
          controller.enqueue(new Uint8Array(512).fill(0x20));
        },
        cancel: () => ended.resolve(),
      }),
    );
  await using services = new Services(endless);
  assertEquals(await queryServices(services.urls, 4, { fetch, signal: NEVER }), undefined);
  await ended.promise;
  assert(sent < 10_000);
});
