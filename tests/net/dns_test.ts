import { assert, assertEquals, assertRejects } from "@std/assert";
import { createSocket } from "node:dgram";
import fc from "fast-check";
import { same, sameLater } from "../cases.ts";
import { FakeTime, realTurn } from "../fake_time.ts";
import { lookUpHostsFile, NameServerResolver } from "../../lib/net/dns.ts";
import { type SystemNames, SystemResolver } from "../../lib/net/dns.ts";
import { dnsQuery, parseDnsAnswer, queryNameServer } from "../../lib/net/dns_query.ts";
import { lookupErrorMessage } from "../../lib/net/error_messages.ts";
import { replaced } from "../replaced.ts";
import { realUntil } from "../real_deadline.ts";
import { startNameServer, type TestNameServer } from "./fake_name_server.ts";
import { sanitized } from "../sanitized_tests.ts";

const signal = new AbortController().signal;

function resolverBy(lookUp: SystemNames["lookUp"]): SystemResolver {
  return new SystemResolver({ lookUp, lookUpHosts: () => Promise.resolve([]) });
}

Deno.test("SystemResolver.resolve() rejects when a name has no address", async () => {
  const asking = (lookUp: SystemNames["lookUp"]) => resolverBy(lookUp).resolve("host", { signal });
  const failing = () => asking(() => Promise.reject(new Error("ENOTFOUND")));
  const { message, cause } = await assertRejects(failing, Error);
  assertEquals([message, `${cause}`], ["Cannot resolve host", "Error: ENOTFOUND"]);
  const empty = () => asking(() => Promise.resolve(["fe80::1%eth0"]));
  await assertRejects(empty, Error, "Cannot resolve host: it has no address");
});

Deno.test("SystemResolver.resolve() takes a second for 32 addresses, and no time for fewer", async () => {
  using time = new FakeTime();
  for (const count of [31, 32]) {
    const addresses = Array.from({ length: count }, (_, n) => `192.0.2.${n}`);
    const lookup = resolverBy(() => Promise.resolve(addresses)).resolve("host", { signal });
    assertEquals(await time.until(lookup, { withinMs: 2_000 }) >= 1_000, count === 32);
  }
});

Deno.test("a name server that takes no TCP is silent only where the system waited for it", async () => {
  const why = async (tookMs: number, isProbe = false) => {
    let passedMs = 0;
    using _now = replaced(performance, { now: () => passedMs });
    // Less than nothing: at once, for a name that had an address before.
    const addresses = tookMs < 0 ? [["192.0.2.1"]] : [];
    const names: SystemNames = {
      lookUp: () => (passedMs = tookMs, Promise.resolve(addresses.pop() ?? [])),
      lookUpHosts: () => Promise.resolve([]),
      nameServers: ["127.9.9.9"],
    };
    const resolver = new SystemResolver(names);
    if (tookMs < 0) await resolver.resolve("host", { signal });
    return lookupErrorMessage(
      await assertRejects(() => resolver.resolve("host", { signal, isProbe }), Error),
    );
  };
  const dead = "the name server 127.9.9.9 does not answer";
  await sameLater(why, [
    [10, `${dead} (connection refused), or has no address that this machine can use`],
    [5_000, `${dead} (connection refused)`],
    [-1, `${dead} (connection refused)`],
  ]);
  assertEquals(await why(5_000, true), "no address that this machine can use");
});

Deno.test("SystemResolver.resolve() shares one lookup between callers of the same name", async () => {
  const answers: ((found: string[]) => void)[] = [];
  const resolver = resolverBy(() => new Promise((resolve) => answers.push(resolve)));
  const asked = Array.from({ length: 100 }, () => resolver.resolve("host", { signal }));
  assertEquals(answers.length, 1);
  answers[0]?.(["127.0.0.1"]);
  assertEquals(new Set((await Promise.all(asked)).flat()), new Set(["127.0.0.1"]));
  // A probe has its own: what it fails with tells a panel less.
  for (const isProbe of [false, true]) void resolver.resolve("host", { signal, isProbe });
  assertEquals(answers.length, 3);
});

Deno.test("SystemResolver.resolve() refuses new names while too many lookups hang", async () => {
  const resolver = resolverBy(() => new Promise<never>(() => {}));
  for (let index = 0; index < 64; index++) void resolver.resolve(`host${index}`, { signal });
  const refused = () => resolver.resolve("another", { signal });
  await assertRejects(refused, Error, "too many lookups hang");
});

Deno.test("SystemResolver.resolveAll() gives all addresses in the system's order", async () => {
  const found = ["::1", "192.0.2.2", "fe80::1%eth0", "192.0.2.1"];
  const resolver = resolverBy(() => Promise.resolve(found));
  assertEquals(await resolver.resolveAll("host", { signal }), ["::1", "192.0.2.2", "192.0.2.1"]);
  assertEquals(await resolver.resolveAll("192.0.2.9", { signal }), ["192.0.2.9"]);
});

Deno.test("SystemResolver.lookUpAhead() answers who asks next, and soon", async () => {
  using time = new FakeTime();
  let lookups = 0;
  const resolver = resolverBy(() => Promise.resolve([`192.0.2.${++lookups}`]));
  resolver.lookUpAhead("host");
  await time.run(4_999);
  assertEquals(await resolver.resolveAll("host", { signal }), ["192.0.2.1"]);
  assertEquals(await resolver.resolveAll("host", { signal }), ["192.0.2.2"]);
  resolver.lookUpAhead("host");
  await time.run(5_000);
  assertEquals(await resolver.resolveAll("host", { signal }), ["192.0.2.4"]);
  resolver.lookUpAhead("192.0.2.9");
  assertEquals(lookups, 4);
});

const TEXT = `# The machine's own
127.0.0.1\tlocalhost
::1       localhost ip6-localhost # and more
192.0.2.1 panel.example  Panel
  192.0.2.2 panel.example
#192.0.2.3 panel.example
192.0.2.4 other # panel.example
fe80::1%eth0 panel.example
999.0.0.1 panel.example
panel.example
192.0.2.5
`;

Deno.test("lookUpHostsFile() gives all addresses of a name in the file's order, and nothing for an unknown one", () => {
  for (const text of [TEXT, TEXT.replaceAll("\n", "\r\n")]) {
    same((host) => lookUpHostsFile(text, host), [
      ["panel.example", ["192.0.2.1", "192.0.2.2"]],
      ["PANEL", ["192.0.2.1"]],
      ["localhost", ["127.0.0.1", "::1"]],
      ["other", ["192.0.2.4"]],
      ...["", "#", "and", "192.0.2.1", "example", "unknown"].map((host) => [host, []] as const),
    ]);
  }
});

Deno.test("lookUpHostsFile() ignores malformed lines", () => {
  fc.assert(fc.property(fc.string(), fc.string(), (before, after) => {
    const text = `${before.replace(/^[0-9a-f:.]/i, "x")}\n192.0.2.1 name\n# ${after}`;
    assertEquals(lookUpHostsFile(text, "name").includes("192.0.2.1"), true);
  }));
});

/** A system on which one name stands in the hosts file, and one is that of a name server. */
const system = new SystemResolver({
  lookUp: (host) => Promise.resolve(host === "dns" ? ["127.0.0.1"] : []),
  lookUpHosts: (host) => Promise.resolve(lookUpHostsFile("192.0.2.7 known.test\n", host)),
});

function lookUp(
  server: TestNameServer,
  host: string,
  { signal } = new AbortController(),
): Promise<readonly string[]> {
  const names = new NameServerResolver({ host: "dns", port: server.port }, system);
  return names.resolveAll(host, { signal });
}

sanitized.test("NameServerResolver.resolveAll() gives all addresses, IPv4 before IPv6", async () => {
  await using server = await startNameServer({
    "both.test": { A: ["192.0.2.1", "192.0.2.2"], AAAA: ["::2", "::1"] },
    "old.test": { A: ["192.0.2.3"] },
    "new.test": { AAAA: ["::3"] },
  });
  await sameLater(async (host) => {
    const found = await lookUp(server, host);
    return [...found.slice(0, 2).toSorted(), ...found.slice(2).toSorted()].join(" ");
  }, [
    ["both.test", "192.0.2.1 192.0.2.2 ::1 ::2"],
    ["old.test", "192.0.2.3"],
    ["new.test", "::3"],
  ]);
});

sanitized.test("NameServerResolver.resolveAll() does not ask about literals, localhost and the hosts file", async () => {
  await using server = await startNameServer({});
  await sameLater((host) => lookUp(server, host), [
    ["192.0.2.1", ["192.0.2.1"]],
    ["::1", ["::1"]],
    ["known.test", ["192.0.2.7"]],
    ["known.test.", ["192.0.2.7"]],
    ["localhost", ["127.0.0.1", "::1"]],
    ["panel.localhost", ["127.0.0.1", "::1"]],
  ]);
  assertEquals(server.questions, []);
});

sanitized.test("NameServerResolver.resolveAll() waits half a second for a family without an answer", async () => {
  await using server = await startNameServer(
    { "a.test": { A: ["192.0.2.1"] } },
    { mute: ["AAAA"] },
  );
  using time = new FakeTime();
  const asked = lookUp(server, "a.test");
  // The time-out of 5 s, and what begins with the first answer.
  for (let looks = 0; time.timers < 2; looks++) {
    assert(looks < 5_000, "it waits for the other family");
    await realTurn();
  }
  await time.run(499);
  assertEquals(time.timers, 2, "it still waits");
  await time.run(1);
  assertEquals(time.timers, 0, "it waits no longer");
  assertEquals(await asked, ["192.0.2.1"]);
});

sanitized.test("NameServerResolver.resolveAll() rejects after 5 s when the server is mute, or with the signal's reason", async () => {
  await using server = await startNameServer({}, { mute: ["A", "AAAA"] });
  const controller = new AbortController();
  const aborted = lookUp(server, "a.test", controller);
  await realUntil(() => server.questions.length >= 2);
  controller.abort(new Error("enough"));
  await assertRejects(() => aborted, Error, "enough");
  using time = new FakeTime();
  const asked = lookUp(server, "a.test");
  asked.catch(() => {});
  await realUntil(() => server.questions.length >= 4);
  assertEquals(await time.until(asked, { withinMs: 60_000, stepMs: 100 }), 5000);
  await assertRejects(() => asked, DOMException, "no answer within 5 s");
});

sanitized.test("NameServerResolver.resolveAll() tells a server that does not answer from a name that is not there", async () => {
  const failure = async (host: string, names: NameServerResolver) =>
    lookupErrorMessage(await assertRejects(() => names.resolveAll(host, { signal }), Error));
  await using server = await startNameServer({ "old.test": { A: ["192.0.2.3"] } });
  const at = (host: string, port: number) => new NameServerResolver({ host, port }, system);
  const configured = "the configured name server";
  assertEquals(await failure("a.test", at("127.0.0.1", server.port)), "no such name");
  assertEquals(await failure("a.test", at("nowhere", 53)), `${configured} nowhere has no address`);
  using _ = replaced<object>(Deno, {
    resolveDns: () => Promise.reject(new Deno.errors.TimedOut("proto error: request timed out")),
  });
  const mute = `${configured} 192.0.2.1 port 53 does not answer`;
  assertEquals(await failure("a.test", at("192.0.2.1", 53)), mute);
});

Deno.test("queryNameServer() gives a name's addresses, or the response code in words", async () => {
  await using server = await startNameServer({
    "panel.test": { A: ["192.0.2.1", "192.0.2.2"] },
    "six.test": { AAAA: ["2001:db8::1"] },
  });
  const address = { host: "127.0.0.1", port: server.port };
  await sameLater(async (question) => {
    const [name = "", type = "A"] = question.split(" ");
    const options = { type: type === "A" ? "A" : "AAAA", timeoutMs: 5_000, signal } as const;
    const { code, addresses } = await queryNameServer(address, name, options);
    return [code, ...addresses].join(" ");
  }, [
    ["panel.test", "NOERROR 192.0.2.1 192.0.2.2"],
    ["panel.test.", "NOERROR 192.0.2.1 192.0.2.2"],
    ["six.test", "NOERROR"],
    ["six.test AAAA", "NOERROR 2001:db8::1"],
    ["none.test", "NXDOMAIN"],
  ]);
});

Deno.test("queryNameServer() ends when there is no answer, and takes none of another question or sender", async () => {
  const [socket, other] = [createSocket("udp4"), createSocket("udp4")];
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  // An answer to another question, and another program's answer to this one.
  socket.on("message", (query: Uint8Array, { port, address }) => {
    socket.send(query.with(0, ~(query[0] ?? 0)).with(2, 0x80), port, address);
    other.send(query.with(2, 0x80), port, address);
  });
  const address = { host: "127.0.0.1", port: socket.address().port };
  const asking = () => queryNameServer(address, "x.test", { timeoutMs: 50, signal });
  await assertRejects(asking, DOMException, "no answer within 0.05 s");
  for (const it of [socket, other]) it.close();
});

Deno.test("parseDnsAnswer() reads what it can of any bytes", () => {
  const query = dnsQuery("a.example", 7);
  assertEquals(parseDnsAnswer(query, 7), undefined, "a question");
  assertEquals(parseDnsAnswer(new Uint8Array(3), 7), undefined);
  const answer = query.with(2, 0x80);
  same((code) => parseDnsAnswer(answer.with(3, code), 7), [
    [0, { code: "NOERROR", addresses: [] }],
    [2, { code: "SERVFAIL", addresses: [] }],
    [5, { code: "REFUSED", addresses: [] }],
    [9, { code: "response code 9", addresses: [] }],
  ]);
  const record = [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 192, 0, 2, 1];
  const whole = Uint8Array.from([...answer, ...record]);
  whole[7] = 1;
  assertEquals(parseDnsAnswer(whole, 7)?.addresses, ["192.0.2.1"]);
  // Wherever it is cut, and however long it claims to be.
  whole[6] = 0xff;
  for (let end = 12; end < whole.length; end++) {
    assertEquals(parseDnsAnswer(whole.subarray(0, end), 7)?.addresses, [], String(end));
  }
});
