import { assert, assertEquals, assertRejects } from "@std/assert";
import { lookUpHostsFile, NameServerResolver, SystemResolver } from "../../lib/net/dns.ts";
import { lookupErrorMessage } from "../../lib/net/error_messages.ts";
import { sameLater } from "../cases.ts";
import { replaced } from "../replaced.ts";
import { FakeTime, realTurn } from "../fake_time.ts";
import { realUntil } from "../real_deadline.ts";
import { TestNameServer } from "./fake_name_server.ts";
import { sanitized } from "../sanitized_tests.ts";

const signal = new AbortController().signal;

/** A system with this hosts file, on which one name leads to loopback. */
function systemWith(hosts: string): SystemResolver {
  return new SystemResolver({
    lookUp: (host) => Promise.resolve(host === "dns" ? ["127.0.0.1"] : []),
    lookUpHosts: (host) => Promise.resolve(lookUpHostsFile(hosts, host)),
  });
}

const system = systemWith("192.0.2.7 known.test\n");

function lookUp(
  server: TestNameServer,
  host: string,
  { signal } = new AbortController(),
): Promise<readonly string[]> {
  const names = new NameServerResolver({ host: "127.0.0.1", port: server.port }, system);
  return names.resolveAll(host, { signal });
}

sanitized.test("NameServerResolver.resolveAll() gives all addresses, IPv4 before IPv6", async () => {
  await using server = await TestNameServer.start({
    "both.test": { A: ["192.0.2.1", "192.0.2.2"], AAAA: ["::2", "::1"] },
    "old.test": { A: ["192.0.2.3"] },
    "new.test": { AAAA: ["::3"] },
  });
  const both = await lookUp(server, "both.test");
  assertEquals(both.slice(0, 2).toSorted(), ["192.0.2.1", "192.0.2.2"]);
  assertEquals(both.slice(2).toSorted(), ["::1", "::2"]);
  assertEquals(await lookUp(server, "old.test"), ["192.0.2.3"]);
  assertEquals(await lookUp(server, "new.test"), ["::3"]);
});

sanitized.test("NameServerResolver.resolveAll() does not ask about literals, localhost and the hosts file", async () => {
  await using server = await TestNameServer.start({});
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

sanitized.test("NameServerResolver.resolveAll() works without a hosts file, and resolves the name of its server", async () => {
  await using server = await TestNameServer.start({ "a.test": { A: ["192.0.2.1"] } });
  const reject = () => Promise.reject(new Deno.errors.NotFound("no such file"));
  const without = new SystemResolver({ lookUp: reject, lookUpHosts: reject });
  for (const [host, names] of [["127.0.0.1", without], ["dns", system]] as const) {
    const resolver = new NameServerResolver({ host, port: server.port }, names);
    assertEquals(await resolver.resolveAll("a.test", { signal }), ["192.0.2.1"]);
  }
});

sanitized.test("NameServerResolver.resolveAll() waits half a second for a family without an answer", async () => {
  await using server = await TestNameServer.start(
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

sanitized.test("NameServerResolver.resolveAll() rejects when there is no such name, or no address", async () => {
  await using server = await TestNameServer.start({ "empty.test": {} });
  for (const host of ["unknown.test", "empty.test"]) {
    const why = `Cannot resolve ${host}: it has no address`;
    const error = await assertRejects(() => lookUp(server, host), Error, why);
    assertEquals(error.cause instanceof Deno.errors.NotFound, true);
  }
});

sanitized.test("NameServerResolver.resolveAll() rejects after 5 s when the server is mute, or with the signal's reason", async () => {
  await using server = await TestNameServer.start({}, { mute: ["A", "AAAA"] });
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
  await using server = await TestNameServer.start({ "old.test": { A: ["192.0.2.3"] } });
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
