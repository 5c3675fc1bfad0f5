import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import type { Config } from "../../lib/config/config.ts";
import type { InterfaceAddress } from "../../lib/host/host.ts";
import type { InterfaceStatus } from "../../lib/metrics/network.ts";
import {
  createGetText,
  type GetText,
  networkFingerprint,
  parseAddressAnswer,
  PublicAddresses,
  publicInterfaceAddress,
  queryServices,
} from "../../lib/metrics/public_addresses.ts";
import { SystemResolver } from "../../lib/net/dns.ts";
import { ipFamily, isPublicAddress } from "../../lib/parse/ip_address.ts";
import { startHttpProxy } from "../net/fake_proxies.ts";
import { makeCertificate } from "../net/test_authority.ts";
import { timed } from "../fake_time.ts";
import { assertDataEquals } from "./assert_data.ts";
import { configOf } from "./config_of.ts";

const NEVER = new AbortController().signal;
const DAY_MS = 24 * 60 * 60_000;

const PRIVATE: InterfaceAddress = { name: "eth0", family: "IPv4", address: "192.168.1.2" };
const IPV4: InterfaceAddress = { name: "eth0", family: "IPv4", address: "8.8.8.8" };
const IPV6: InterfaceAddress = { name: "eth0", family: "IPv6", address: "2620:fe::fe" };

/** Waits until it is aborted. */
const hang: GetText = (_, { signal }) => {
  const { promise, reject } = Promise.withResolvers<never>();
  signal.addEventListener("abort", () => reject(signal.reason));
  return promise;
};

const SERVICES = ["https://v4.example/", "https://v6.example/"];

class Machine {
  own: InterfaceAddress[] = [PRIVATE];
  answers: Record<string, string> = {};
  readonly asked: string[] = [];
  readonly addresses: PublicAddresses;

  constructor(options: Partial<Config> = {}, parts: { getText?: GetText } = {}) {
    const config = { ...configOf(), ipServices: SERVICES, ...options };
    this.addresses = new PublicAddresses(config, this, {
      getText: (url, { signal }) => {
        signal.throwIfAborted();
        this.asked.push(url);
        return Promise.resolve({ status: 200, text: this.answers[url] ?? "no idea" });
      },
      ...parts,
    });
  }

  interfaces(): InterfaceStatus[] {
    return [
      { name: "docker0", counted: false, rule: "virtual" },
      { name: "eth0", counted: true, rule: "has a device" },
    ];
  }

  interfaceAddresses(): InterfaceAddress[] {
    return this.own;
  }

  /** How many questions there have been since the last time. */
  async questions(): Promise<number> {
    const before = this.asked.length;
    await this.addresses.lookup(NEVER);
    return this.asked.length - before;
  }
}

const BOTH = { "https://v4.example/": "9.9.9.9", "https://v6.example/": "2620:fe::9" };

Deno.test("PublicAddresses.lookup() uses configured addresses without a request", async () => {
  const machine = new Machine({ customIpv4: "1.2.3.4", customIpv6: "2606::1" });
  assertDataEquals(machine.addresses.answeredBy, "not looked up yet");
  assertDataEquals(await machine.addresses.lookup(NEVER), { ipv4: "1.2.3.4", ipv6: "2606::1" });
  assertDataEquals(machine.asked, []);
  assertDataEquals(
    machine.addresses.answeredBy,
    "IPv4 from --custom-ipv4, IPv6 from --custom-ipv6",
  );
});

Deno.test("PublicAddresses.lookup() queries only the family that is not configured", async () => {
  const machine = new Machine({ customIpv6: "2606::1" });
  machine.answers = BOTH;
  assertDataEquals(await machine.addresses.lookup(NEVER), { ipv4: "9.9.9.9", ipv6: "2606::1" });
});

Deno.test("PublicAddresses.lookup() queries IPv6 only where an interface has a public address", async () => {
  const machine = new Machine();
  machine.answers = BOTH;
  assertDataEquals(await machine.addresses.lookup(NEVER), { ipv4: "9.9.9.9" });
  machine.own = [PRIVATE, IPV6];
  assertDataEquals(await machine.addresses.lookup(NEVER), { ipv4: "9.9.9.9", ipv6: "2620:fe::9" });
  assertDataEquals(machine.addresses.answeredBy, "IPv4 from v4.example, IPv6 from v6.example");
});

Deno.test("PublicAddresses.lookup() uses the interfaces' addresses without a request if configured", async () => {
  const machine = new Machine({ addressesFromNic: true });
  assertDataEquals(await machine.addresses.lookup(NEVER), {});
  machine.own = [PRIVATE, { ...IPV4, name: "docker0", address: "9.9.9.9" }, IPV4, IPV6];
  assertDataEquals(await machine.addresses.lookup(NEVER), { ipv4: "8.8.8.8", ipv6: "2620:fe::fe" });
  assertDataEquals(machine.asked, []);
});

Deno.test("publicInterfaceAddress() takes the kernel's source, none that is unusable, and temporary ones last", () => {
  const isCounted = (name: string) => name === "eth0";
  const of = (name: string, last: number, preference: InterfaceAddress["preference"]) => ({
    ...{ name, family: "IPv6" as const, address: `2620:fe::${last}`, preference },
  });
  const all = [
    of("eth0", 1, "unusable"),
    of("eth0", 2, "temporary"),
    of("br0", 3, "usual"),
    of("eth0", 4, "usual"),
    of("br0", 5, "preferred"),
  ];
  const found: (string | undefined)[] = [];
  for (let rest = all; rest.length > 0;) {
    const best = publicInterfaceAddress(rest, "IPv6", { isCounted })?.address;
    found.push(best?.at(-1));
    rest = best === undefined ? [] : rest.filter(({ address }) => address !== best);
  }
  assertEquals(found, ["5", "4", "3", "2", undefined]);
});

Deno.test("PublicAddresses.lookup() sends no request when services are off", async () => {
  const machine = new Machine({ ipServices: "off" });
  machine.own = [IPV4, IPV6];
  assertDataEquals(await machine.addresses.lookup(NEVER), {});
  assertDataEquals(machine.asked, []);
});

Deno.test("PublicAddresses.lookup() queries the default services, over HTTPS only", async () => {
  const machine = new Machine({ ipServices: "default" });
  machine.own = [IPV6];
  assertDataEquals(await machine.addresses.lookup(NEVER), {});
  const ipv4 = ["1.1.1.1/cdn-cgi/trace", "4.ipw.cn", "api-ipv4.ip.sb/ip", "ipv4.icanhazip.com"];
  const ipv6 = ["6.ipw.cn", "api-ipv6.ip.sb/ip", "ipv6.icanhazip.com"];
  const cloudflare = "[2606:4700:4700::1111]/cdn-cgi/trace";
  const all = [...ipv4, ...ipv6, cloudflare].map((it) => `https://${it}`);
  assertDataEquals(machine.asked.toSorted(), all.toSorted());
});

timed.test("PublicAddresses.lookup() queries again after a day, or when the machine's addresses change", async (time) => {
  const machine = new Machine();
  machine.answers = BOTH;
  assertDataEquals(await machine.questions() > 0, true);
  time.tick(DAY_MS - 1);
  assertDataEquals(await machine.questions(), 0);
  time.tick(1);
  assertDataEquals(await machine.questions() > 0, true);
  assertDataEquals(await machine.questions(), 0);
  machine.own = [{ ...PRIVATE, address: "192.168.1.3" }];
  assertDataEquals(await machine.questions() > 0, true);
  machine.own = [...machine.own, { name: "veth1", family: "IPv6", address: "fe80::1" }];
  assertDataEquals(await machine.questions(), 0);
});

timed.test("PublicAddresses.lookup() retries five minutes after a failure, for that family only", async (time) => {
  const machine = new Machine();
  machine.own = [PRIVATE, IPV6];
  machine.answers = { "https://v4.example/": "9.9.9.9" };
  assertDataEquals(await machine.addresses.lookup(NEVER), { ipv4: "9.9.9.9" });
  assertDataEquals(machine.addresses.answeredBy.includes("IPv6 absent: no service answered"), true);
  time.tick(5 * 60_000 - 1);
  assertDataEquals(await machine.questions(), 0);
  time.tick(1);
  assertDataEquals(await machine.questions(), 2);
  machine.answers = BOTH;
  time.tick(5 * 60_000);
  assertDataEquals(await machine.addresses.lookup(NEVER), { ipv4: "9.9.9.9", ipv6: "2620:fe::9" });
});

timed.test("PublicAddresses.lookup() drops yesterday's answer when no service confirms it", async (time) => {
  const machine = new Machine();
  machine.answers = BOTH;
  await machine.addresses.lookup(NEVER);
  machine.answers = {};
  time.tick(DAY_MS);
  assertDataEquals(await machine.addresses.lookup(NEVER), {});
});

timed.test("PublicAddresses.lookup() gives up on hanging services in time", async (time) => {
  const machine = new Machine({}, { getText: hang });
  const lookup = machine.addresses.lookup(NEVER);
  assertEquals(await time.until(lookup, { withinMs: 6_000, stepMs: 500 }), 5_000);
  assertDataEquals(await lookup, {});
});

Deno.test("PublicAddresses.lookup() rejects when aborted, and caches nothing", async () => {
  const stop = new AbortController();
  const machine = new Machine({}, {
    getText: (_, { signal }) => {
      stop.abort(new Error("stopped"));
      return Promise.reject(signal.reason);
    },
  });
  await assertRejects(() => machine.addresses.lookup(stop.signal), Error, "stopped");
  assertDataEquals(machine.addresses.answeredBy.includes("IPv4"), false);
});

timed.test("PublicAddresses.lookup() ends at once when aborted, or asks nothing", async () => {
  const stop = new AbortController();
  let looks = 0;
  const machine = new Machine({}, { getText: hang });
  machine.interfaceAddresses = () => (looks++, [PRIVATE]);
  const lookup = machine.addresses.lookup(stop.signal);
  stop.abort(new Error("stopped"));
  await assertRejects(() => lookup, Error, "stopped");
  await assertRejects(() => machine.addresses.lookup(stop.signal), Error, "stopped");
  assertEquals(looks, 1);
});

Deno.test("PublicAddresses.lookup() queries IPv4 where interfaces can't be listed", async () => {
  const machine = new Machine();
  machine.interfaceAddresses = () => {
    throw new Error("not permitted");
  };
  machine.answers = BOTH;
  assertDataEquals(await machine.addresses.lookup(NEVER), { ipv4: "9.9.9.9" });
});

Deno.test("parseAddressAnswer() reads the line of a trace", () => {
  const trace = "fl=12f3\nh=1.1.1.1\nip=9.9.9.9\nts=1.5\nvisit_scheme=https\ncolo=FRA\n";
  assertEquals(parseAddressAnswer(trace, 4), "9.9.9.9");
  assertEquals(parseAddressAnswer(trace.replaceAll("\n", "\r\n"), 4), "9.9.9.9");
  assertEquals(parseAddressAnswer(trace, 6), undefined);
});

Deno.test("parseAddressAnswer() returns undefined for anything else", () => {
  const bad = ["", "\n", "unknown", "<html>9.9.9.9</html>", '{"ip":"9.9.9.9"}', "9.9.9.9 8.8.8.8"];
  bad.push("10.0.0.1", "127.0.0.1", "192.0.2.1", "100.64.1.1", "2620:fe::fe", "ip=", "ip=10.1.1.1");
  bad.push("9.9.9.9:80", "9.9.9.9/32", "::ffff:9.9.9.9", "ip=9.9.9.9;x", "Current IP: 9.9.9.9");
  for (const text of bad) assertEquals(parseAddressAnswer(text, 4), undefined, text);
  const texts = ["9.9.9.9", "fe80::1%eth0", "fd00::1", "::1", "2001:db8::1", "[2620:fe::fe]"];
  for (const text of texts) {
    assertEquals(parseAddressAnswer(text, 6), undefined, text);
  }
});

Deno.test("parseAddressAnswer() returns any public address", () => {
  fc.assert(fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (address) => {
    const family = ipFamily(address);
    assert(family);
    const expected = isPublicAddress(address) ? address : undefined;
    assertEquals(parseAddressAnswer(`${address}\n`, family), expected);
  }));
});

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

/** What real servers say, unless they have to be given up. */
function query(urls: readonly string[], signal = NEVER) {
  return queryServices(urls, 4, { getText: createGetText({}), signal });
}

function say(text: string, init?: ResponseInit) {
  return () => new Response(text, init);
}

function redirectTo(location: string): Response {
  return new Response(null, { status: 302, headers: { location } });
}

const mute = (_: Request, never: Promise<Response>) => never;

Deno.test("createGetText() gives a proxy its password, and the server behind it nothing of it", async () => {
  const certificate = await makeCertificate();
  if (certificate === undefined) return console.log("skipped: there is no openssl");
  const { authority, certificate: cert, key } = certificate;
  const headers: string[] = [];
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, cert, key, onListen() {} },
    (request) => {
      headers.push(...request.headers.keys());
      return new Response("9.9.9.9");
    },
  );
  await using proxy = startHttpProxy({ login: "user:p@ss" });
  const proxies = { https: `http://user:p%40ss@127.0.0.1:${proxy.port}` };
  const url = `https://127.0.0.1:${server.addr.port}/`;
  const get = createGetText(proxies, { caCerts: [authority] });
  const told = await queryServices([url], 4, { getText: get, signal: NEVER });
  assertEquals(told?.address, "9.9.9.9");
  assertStringIncludes(proxy.requests.join(), `Proxy-Authorization: Basic ${btoa("user:p@ss")}`);
  assertEquals(headers.filter((name) => name.startsWith("proxy")), []);
  assert(headers.includes("accept") && headers.includes("user-agent"), headers.join());
});

Deno.test("createGetText() resolves names as it is told", async () => {
  await using services = new Services(say("9.9.9.9"));
  const resolved: string[] = [];
  const lookUp = (host: string) => {
    resolved.push(host);
    return Promise.resolve(["127.0.0.1"]);
  };
  const get = createGetText({}, { system: new SystemResolver({ lookUp, lookUpHosts: lookUp }) });
  const urls = services.urls.map((url) => url.replace("127.0.0.1", "ip.example"));
  const told = await queryServices(urls, 4, { getText: get, signal: NEVER });
  assertEquals([told?.address, resolved], ["9.9.9.9", ["ip.example"]]);
});

Deno.test("queryServices() keeps the first answer when another comes in spite of the abort", async () => {
  const late = Promise.withResolvers<{ status: number; text: string }>();
  const getText = (url: string) => {
    if (url.includes("late")) return late.promise;
    setTimeout(() => late.resolve({ status: 200, text: "8.8.8.8" }), 0);
    return Promise.resolve({ status: 200, text: "9.9.9.9" });
  };
  const urls = ["https://late.example", "https://a.example"];
  const told = await queryServices(urls, 4, { getText, signal: NEVER });
  assertEquals(told, { address: "9.9.9.9", host: "a.example" });
});

Deno.test("queryServices() takes an answer of at most 1,024 characters", async () => {
  const told = (length: number) => {
    const getText = () => Promise.resolve({ status: 200, text: "9.9.9.9".padEnd(length) });
    return queryServices(["https://a.example"], 4, { getText, signal: NEVER });
  };
  assertEquals(await told(1_024), { address: "9.9.9.9", host: "a.example" });
  assertEquals(await told(1_025), undefined);
});

Deno.test("queryServices() skips invalid answers", async () => {
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
  const told = await query([...refused, ...services.urls]);
  assertEquals(told?.address, "8.8.4.4");
  assertEquals(services.asked.toSorted(), [0, 1, 2, 3, 4, 5, 6, 7]);
});

Deno.test("queryServices() queries three at once and aborts the others after the first valid answer", async () => {
  await using services = new Services(mute, mute, say("9.9.9.9"), say("8.8.8.8"));
  const told = await query(services.urls);
  assertEquals(told?.address, "9.9.9.9");
  assertEquals(services.asked.includes(3), false);
});

Deno.test("queryServices() queries no fourth while three hang, and ends when aborted", async () => {
  const stop = new AbortController();
  const asked: string[] = [];
  const told = queryServices(["http://a/", "http://b/", "http://c/", "http://d/"], 4, {
    getText: (url, { signal }) => {
      asked.push(url);
      return hang(url, { signal });
    },
    signal: stop.signal,
  });
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
  assertEquals(asked, ["http://a/", "http://b/", "http://c/"]);
  stop.abort();
  assertEquals(await told, undefined);
  assertEquals(asked.length, 3);
});

Deno.test("queryServices() stops reading an endless body", async () => {
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
  assertEquals(await query(services.urls), undefined);
  await ended.promise;
  assert(sent < 10_000);
});

function addresses(...texts: string[]): InterfaceAddress[] {
  return texts.map((text) => {
    const [name = "", address = ""] = text.split(" ");
    return { name, address, family: address.includes(":") ? "IPv6" : "IPv4" };
  });
}

const MACHINE = addresses(
  ...["lo 127.0.0.1", "lo ::1", "docker0 172.17.0.1", "vmbr0 9.9.9.9", "vmbr0 2620:fe::1"],
  ...["eth0 fe80::1%eth0", "eth0 10.0.0.5", "eth0 fd00::5", "eth0 8.8.8.8"],
);

Deno.test("publicInterfaceAddress() ignores private, local and reserved addresses", () => {
  const own = addresses("eth0 192.168.1.2", "eth0 100.64.0.9", "eth0 169.254.1.1", "eth0 fd00::1");
  for (const family of ["IPv4", "IPv6"] as const) {
    assertEquals(publicInterfaceAddress(own, family, { isCounted: () => true }), undefined);
  }
});

Deno.test("networkFingerprint() ignores order and addresses of containers", () => {
  const place = networkFingerprint(MACHINE);
  assertEquals(networkFingerprint(MACHINE.toReversed()), place);
  for (const more of [["veth1 fe80::7", "veth1 169.254.3.4"], ["lo 127.0.0.1", "lo 127.0.0.53"]]) {
    assertEquals(networkFingerprint([...MACHINE, ...addresses(...more)]), place, more.join());
  }
});

Deno.test("networkFingerprint() changes with an address, private or public", () => {
  const places = [
    networkFingerprint(MACHINE),
    networkFingerprint([...MACHINE, ...addresses("wlan0 192.168.1.7")]),
    networkFingerprint([...MACHINE, ...addresses("wlan0 2620:fe::7")]),
    networkFingerprint(MACHINE.slice(0, -1)),
  ];
  assertEquals(new Set(places).size, places.length);
});
