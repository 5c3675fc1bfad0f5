import { assert, assertEquals, assertLessOrEqual, assertMatch } from "@std/assert";
import { assertRejects, assertThrows } from "@std/assert";
import { abortable } from "@std/async/abortable";
import { type DialerOptions, NetDialer } from "../../lib/net/dialer.ts";
import { SystemResolver } from "../../lib/net/dns.ts";
import { DialError } from "../../lib/net/errors.ts";
import { FakeTime } from "../fake_time.ts";
import { freePort } from "../free_port.ts";
import { isolatedTest } from "../own_process.ts";
import { replaced } from "../replaced.ts";
import { settledFiles } from "../open_below.ts";
import { realDeadline, realUntil } from "../real_deadline.ts";
import { echoServer, type RawServer } from "./raw_server.ts";
import { startNameServer } from "./fake_name_server.ts";
import { startHttpProxy, startSocksProxy, type TestProxyOptions } from "./fake_proxies.ts";
import { cases, same, sameLater } from "../cases.ts";
import { roundTrip } from "./round_trip.ts";
import { fakeConnect } from "./fake_connect.ts";
import { makeCertificate } from "./test_authority.ts";
import { SANITIZED, sanitized } from "../sanitized_tests.ts";

const signal = new AbortController().signal;
const certificate = await makeCertificate();
const trust = certificate ? { caCerts: [certificate.authority] } : {};

/** What a dialer is made of: its options, and the names that the system knows. */
type DialerParts = DialerOptions & { readonly system?: SystemResolver };

const openDialer = ({ system, ...options }: DialerParts) => new NetDialer(options, system);

/** A system that leads all names to these addresses. */
function leadingTo(...addresses: readonly string[]): SystemResolver {
  const lookUp = () => Promise.resolve(addresses);
  return new SystemResolver({ lookUp, lookUpHosts: lookUp });
}

const system = leadingTo("127.0.0.1");
const ANY: DialerParts = { anyCertificate: true };
const both = (proxy: string) => ({ http: proxy, https: proxy });

/** Opens a stream, has 1.2 MB go both ways, closes it and waits until the server has noticed. */
async function use(address: string, server: RawServer, options: DialerParts): Promise<void> {
  const url = new URL(address);
  url.port = `${server.port}`;
  const { stream, forward } = await openDialer(options).dial(url, { signal });
  assertEquals(forward, undefined);
  await roundTrip(stream);
  stream.close();
  stream.close();
  await assertRejects(() => stream.read(new Uint8Array(1)), Error);
  await assertRejects(() => stream.write(new Uint8Array(1)), Error);
  await realUntil(() => server.open === 0);
}

/** Tests something with TLS, which needs openssl, and without. */
function bySchemes(
  name: string,
  run: (scheme: string, server: RawServer) => Promise<void>,
  options: { hostname?: string; isIsolated?: boolean } = {},
): void {
  const test = options.isIsolated === true
    ? (definition: Deno.TestDefinition) => isolatedTest(import.meta.url, definition)
    : Deno.test;
  for (const scheme of ["ws", "wss"]) {
    const isSecure = scheme === "wss";
    test({
      ...SANITIZED,
      name: `NetDialer.dial() ${name} (${scheme}:)`,
      ignore: isSecure && certificate === undefined,
      fn: async () => {
        const secured = isSecure && certificate ? { certificate } : {};
        await using server = echoServer({ ...options, ...secured });
        await run(scheme, server);
      },
    });
  }
}

async function failure(url: string, options: DialerParts): Promise<DialError> {
  return await assertRejects(() => openDialer(options).dial(new URL(url), { signal }), DialError);
}

const HOSTS = { "127.0.0.1": ["localhost", "127.0.0.1"], "::1": ["[::1]"] };
for (const [hostname, names] of Object.entries(HOSTS)) {
  bySchemes(`leads to ${names.join(" and ")}`, async (scheme, server) => {
    for (const name of names) {
      for (const options of [trust, ANY]) await use(`${scheme}://${name}`, server, options);
    }
  }, { hostname });
}

sanitized.test("NetDialer.dial() tries 16 addresses at most, of both families in turn, in the system's order", async () => {
  const found = Array.from({ length: 20 }, (_, index) => `192.0.2.${index + 1}`);
  const tried: string[] = [];
  using _ = fakeConnect(({ hostname }) => {
    tried.push(hostname);
    return Promise.reject(new Error("refused"));
  });
  await failure("http://panel.test", { system: leadingTo("::1", "::2", ...found) });
  assertEquals(tried, ["::1", "192.0.2.1", "::2", ...found.slice(1, 14)]);
});

sanitized.test("NetDialer.dial() uses an HTTP proxy as a forward proxy for http:", async () => {
  await using proxy = startHttpProxy();
  await sameLater(async (login) => {
    const dialer = new NetDialer({ proxies: both(`http://${login}127.0.0.1:${proxy.port}`) });
    const open = await dialer.dial(new URL("http://panel.test/api?token=x"), { signal });
    open.stream.close();
    return open.forward;
  }, [["", {}], ["me:p%40ss@", { authorization: `Basic ${btoa("me:p@ss")}` }]]);
});

Deno.test("new NetDialer() throws when a proxy is invalid, without its password", () => {
  const proxies = { http: "ftp://me:secret@host" };
  const error = assertThrows(() => new NetDialer({ proxies }), RangeError, "ftp://");
  assert(!error.message.includes("secret"), error.message);
});

sanitized.test("NetDialer.dial() throws a readable error with the step that failed", async () => {
  const port = freePort();
  await using names = await startNameServer({});
  const nameServer = { host: "127.0.0.1", port: names.port };
  const told = async (url: string, options: DialerParts) => {
    const { stage, message } = await failure(url, options);
    return `${stage}: ${message.replace(`${port}`, "…")}`;
  };
  const [host, system] = [`http://panel.test:${port}`, leadingTo("127.0.0.1", "::1")];
  const proxies = both(`http://me:secret@127.0.0.1:${port}`);
  assertEquals([
    await told(`http://127.0.0.1:${port}/?token=secret`, {}),
    await told(host, { system }),
    await told("http://panel.test", { proxies }),
    await told("http://panel.test", { nameServer }),
  ], [
    "connect: Cannot connect to 127.0.0.1 port …: connection refused",
    "connect: Cannot connect to panel.test port … (127.0.0.1 and 1 more): connection refused",
    "connect: Cannot connect to the proxy 127.0.0.1 port …: connection refused",
    "lookup: Cannot resolve panel.test: no such name",
  ]);
  for (const options of [{}, { preferFamily: 4 as const }]) {
    const { message } = await failure("http://no-such-name.invalid", options);
    // Without a network the system can't tell.
    assertMatch(message, /^Cannot resolve no-such-name\.invalid: (no such|the name server does)/);
  }
});

sanitized.test("NetDialer.dial() goes to the port of the scheme where a URL has none", async () => {
  const ports: number[] = [];
  using _ = fakeConnect(({ port }) => {
    ports.push(port);
    return Promise.reject(new Error("refused"));
  });
  for (const scheme of ["http", "https", "ws", "wss"]) await failure(`${scheme}://127.0.0.1`, {});
  assertEquals(ports, [80, 443, 80, 443]);
});

sanitized.test("NetDialer.prepare() resolves the name that a connection will need, and has randomness gathered for TLS alone", () => {
  const asked: string[] = [];
  const lookUp = (host: string) => (asked.push(host), Promise.resolve(["192.0.2.1"]));
  let gathered = 0;
  using _ = replaced(crypto.subtle, {
    generateKey: (): Promise<never> => (gathered++, Promise.reject(new Error("no randomness"))),
  });
  const proxies = { http: "http://proxy.test:3128" };
  const nameServer = { host: "dns.test", port: 53 };
  const rows: [[url: string, DialerOptions], begun: unknown[]][] = [
    [["http://panel.test", {}], ["panel.test", 0]],
    [["http://panel.test", { proxies }], ["proxy.test", 0]],
    [["https://panel.test", { proxies }], ["panel.test", 1]],
    [["https://panel.test", { nameServer }], ["dns.test", 1]],
  ];
  same(([url, options]) => {
    gathered = 0;
    const recorder = new SystemResolver({ lookUp, lookUpHosts: lookUp });
    new NetDialer(options, recorder).prepare(new URL(url));
    return [...asked.splice(0), gathered];
  }, rows);
});

sanitized.test("NetDialer.dial() looks up a name itself for a proxy of socks5:, and not of socks5h:", async () => {
  await using server = echoServer({});
  await sameLater(async (kind) => {
    await using proxy = startSocksProxy({});
    const proxies = both(`${kind}://127.0.0.1:${proxy.port}`);
    await use("ws://panel.test", server, { system, proxies });
    return proxy.requests.join().replace(`:${server.port}`, "");
  }, [["socks5", "127.0.0.1"], ["socks5h", "panel.test"]]);
});

sanitized.test("NetDialer.dial() asks an HTTP proxy with its login for an IPv6 address in brackets, and reads a long answer", async () => {
  await using proxy = startHttpProxy({
    answer: `HTTP/1.1 200 OK\r\nX-Long: ${"x".repeat(15_000)}\r\n\r\n`,
  });
  const proxies = { http: `http://me:p%40ss@127.0.0.1:${proxy.port}` };
  const url = new URL("ws://[2001:db8::1]:8443");
  const { stream } = await new NetDialer({ proxies }).dial(url, { signal });
  stream.close();
  const [request = ""] = proxy.requests;
  const host = "[2001:db8::1]:8443";
  assert(request.startsWith(`CONNECT ${host} HTTP/1.1\r\nHost: ${host}\r\n`), request);
  assert(request.includes(`\r\nProxy-Authorization: Basic ${btoa("me:p@ss")}\r\n`), request);
});

/** Answers of an HTTP proxy that lead to nothing, with an empty line behind most, and what is told. */
const HTTP_REFUSALS = cases(`
HTTP/1.0 502 → the proxy answers 502
HTTP/1.1 403 \u001b[31mNo → the proxy answers 403 [31mNo
HTTP/1.1  403  No  way → the proxy answers 403 No  way
HTTP/1.1 500 ü\0${"x".repeat(500)} → the proxy answers 500 ${"x".repeat(100)}
HTTP/1.1 200 ${"x".repeat(20_000)} → the proxy's answer is too long
SSH-2.0 → it is not HTTP
HTTP/2 200 OK → it is not HTTP
HTTP/1.1 20 OK → it is not HTTP
HTTP/1.1 2000 → it is not HTTP
HTTP/1.1 000 x → it is not HTTP
xHTTP/1.1 200 → it is not HTTP
`).map(([line, told]) => ["http://", { answer: `${line}\r\n\r\n` }, told] as const);
const REFUSALS: readonly (readonly [kind: string, options: TestProxyOptions, told: string])[] = [
  ...HTTP_REFUSALS,
  ["http://", { login: "a:b" }, "the proxy answers 407 Proxy Authentication Required"],
  ["http://", { answer: "HTTP/1.1 200 OK\r\n" }, "the proxy closed the connection"],
  ["http://", { answer: "HTTP/1.1 200 OK\r\n\r\nmore" }, "the proxy sent more than its answer"],
  ["socks5h://a:c@", { login: "a:b" }, "user or password is wrong"],
  ["socks5h://", { answer: Uint8Array.of(5, 0, 0, 1, 0) }, "closed the connection"],
];
sanitized.test("NetDialer.dial() rejects when a proxy refuses", async () => {
  for (const [scheme, options, told] of REFUSALS) {
    await using proxy = (scheme === "http://" ? startHttpProxy : startSocksProxy)(options);
    const proxies = both(`${scheme}127.0.0.1:${proxy.port}`);
    for (const url of ["https://panel.test/?token=secret", "ws://panel.test/?token=secret"]) {
      const { stage, message } = await failure(url, { proxies });
      assertEquals(stage, "proxy");
      const where = `Cannot connect to panel.test through the proxy 127.0.0.1 port ${proxy.port}: `;
      assert(message.startsWith(where) && message.endsWith(told), message);
    }
    await realUntil(() => proxy.open === 0);
  }
});

/** Makes a stage that hangs: until it does, `reached` is pending. */
type Hang = (stack: AsyncDisposableStack) => { options: DialerParts; reached: Promise<void> };

const inLookup: Hang = () => {
  const { promise: reached, resolve } = Promise.withResolvers<void>();
  const lookUp = () => (resolve(), new Promise<string[]>(() => {}));
  return { reached, options: { system: new SystemResolver({ lookUp, lookUpHosts: lookUp }) } };
};
const inConnection = (options: DialerParts): Hang => (stack) => {
  const { promise: reached, resolve } = Promise.withResolvers<void>();
  const never = new Promise<Deno.TcpConn>(() => {});
  stack.use(fakeConnect(({ signal }) => (resolve(), abortable(never, signal))));
  return { reached, options: { system, ...options } };
};
const inProxy = (start: typeof startHttpProxy, kind: string): Hang => (stack) => {
  const proxy = stack.use(start({ isMute: true }));
  return { reached: proxy.met, options: { proxies: both(`${kind}://127.0.0.1:${proxy.port}`) } };
};

const PROXY = both("http://proxy.test:3128");
const THROUGH = "connect to panel.test through the proxy 127.0.0.1 port …";
const STAGES: readonly [hang: Hang, seconds: number, what: string][] = [
  [inLookup, 8, "resolve panel.test"],
  [inConnection({}), 10, "connect to panel.test port 80 (127.0.0.1)"],
  [inConnection({ proxies: PROXY }), 10, "connect to the proxy proxy.test port 3128 (127.0.0.1)"],
  [inProxy(startHttpProxy, "http"), 10, THROUGH],
  [inProxy(startSocksProxy, "socks5h"), 10, THROUGH],
];
for (const [hang, seconds, what] of STAGES) {
  const told = `Cannot ${what}: no answer within ${seconds} s`;
  sanitized.test(`NetDialer.dial() gives up at its time or the signal's: ${told}`, async () => {
    await using stack = new AsyncDisposableStack();
    const start = (signal: AbortSignal) => {
      const { options, reached } = hang(stack);
      const opened = openDialer(options).dial(new URL("ws://panel.test"), { signal });
      opened.catch(() => {});
      return { opened, reached: realDeadline(reached) };
    };
    const controller = new AbortController();
    const aborted = start(controller.signal);
    await aborted.reached;
    controller.abort(new Error("enough"));
    await assertRejects(() => realDeadline(aborted.opened), Error, "enough");

    const time = stack.use(new FakeTime());
    const slow = start(signal);
    await slow.reached;
    await time.run(seconds * 1000 - 1);
    assertEquals(time.timers, 1);
    await time.run(1);
    const { message } = await assertRejects(() => realDeadline(slow.opened), DialError);
    assertEquals([message.replace(/port \d+:/, "port …:"), time.timers], [told, 0]);
  });
}

bySchemes("does nothing when its signal has aborted", async (scheme, server) => {
  const url = `${scheme}://localhost:${server.port}`;
  const call = { signal: AbortSignal.abort(new Error("enough")) };
  for (const options of [{}, { preferFamily: 4 as const }, ANY]) {
    const opened = () => openDialer(options).dial(new URL(url), call);
    await assertRejects(opened, Error, "enough");
  }
  assertEquals(server.accepted, 0);
});

bySchemes("leaves nothing behind when it is aborted at any moment", async (scheme, server) => {
  await using proxy = startHttpProxy({ port: server.port });
  const proxies = both(`http://127.0.0.1:${proxy.port}`);
  const all: DialerParts[] = [trust, { ...trust, system }, ANY, { ...trust, proxies }];
  const dialers = all.map((options) => openDialer(options));
  const url = new URL(`${scheme}://localhost:${server.port}`);
  const one = async (index: number) => {
    const controller = new AbortController();
    const opened = dialers[index % dialers.length]?.dial(url, { signal: controller.signal });
    const ended = opened?.then(({ stream }) => stream.close(), () => {});
    setTimeout(() => controller.abort(), index % 12);
    await ended;
  };
  const batch = () => Promise.all(Array.from({ length: 24 }, (_, index) => one(index)));
  const settled = async () => {
    await realUntil(() => server.open + proxy.open === 0);
    return await settledFiles();
  };
  // What the runtime opens once for all is not a leak.
  await batch();
  await settled();
  await batch();
  const before = await settled();
  for (let round = 0; round < 8; round++) await batch();
  // The runtime opens and closes a few of its own; of 192 streams a leak would show as dozens.
  assertLessOrEqual(await settled(), before + 8);
}, { isIsolated: true });
