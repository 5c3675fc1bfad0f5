import { assert, assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { same, sameLater } from "../cases.ts";
import { FakeTime } from "../fake_time.ts";
import {
  lookUpHostsFile,
  PROBE_LOOKUPS_LIMIT,
  type SystemNames,
  SystemResolver,
} from "../../lib/net/dns.ts";

const signal = new AbortController().signal;

function resolverBy(lookUp: SystemNames["lookUp"]): SystemResolver {
  return new SystemResolver({ lookUp, lookUpHosts: () => Promise.resolve([]) });
}

Deno.test("SystemResolver.resolve() puts the first IPv4 address before the first of IPv6", async () => {
  await sameLater((found) => resolverBy(() => Promise.resolve(found)).resolve("host", { signal }), [
    [["::1", "::2", "127.0.0.2", "127.0.0.1"], ["127.0.0.2", "::1"]],
    [["::2"], ["::2"]],
    [["127.0.0.1", "127.0.0.2"], ["127.0.0.1"]],
  ]);
});

Deno.test("SystemResolver.resolve() asks the system, hosts file included", async () => {
  const [first] = await new SystemResolver().resolve("localhost", { signal });
  assert(first === "127.0.0.1" || first === "::1", first);
});

Deno.test("SystemResolver.resolve() rejects when a name has no address", async () => {
  const failing = resolverBy(() => Promise.reject(new Error("ENOTFOUND")));
  const resolving = () => failing.resolve("host", { signal });
  const error = await assertRejects(resolving, Error, "Cannot resolve host");
  assertEquals(error.cause instanceof Error && error.cause.message, "ENOTFOUND");
  const empty = resolverBy(() => Promise.resolve(["fe80::1%eth0"]));
  await assertRejects(() => empty.resolve("host", { signal }), Error, "it has no address");
});

Deno.test("SystemResolver.resolve() stops waiting when its signal aborts", async () => {
  const controller = new AbortController();
  const resolver = resolverBy(() => new Promise(() => {}));
  const asked = resolver.resolve("host", { signal: controller.signal });
  controller.abort(new Error("enough"));
  await assertRejects(() => asked, Error, "enough");
});

Deno.test("SystemResolver.resolve() shares one lookup between callers of the same name", async () => {
  const answers: ((found: string[]) => void)[] = [];
  const resolver = resolverBy(() => new Promise((resolve) => answers.push(resolve)));
  const asked = Array.from({ length: 100 }, () => resolver.resolve("host", { signal }));
  assertEquals(answers.length, 1);
  answers[0]?.(["127.0.0.1"]);
  assertEquals(new Set((await Promise.all(asked)).flat()), new Set(["127.0.0.1"]));
  void resolver.resolve("host", { signal });
  assertEquals(answers.length, 2);
});

Deno.test("SystemResolver.resolve() refuses new names while too many lookups hang, earlier those of probes", async () => {
  const never = new Promise<never>(() => {});
  const resolver = resolverBy((host) => host === "panel" ? Promise.resolve(["192.0.2.1"]) : never);
  const refused = (asked: Promise<unknown>) =>
    assertRejects(() => asked, Error, "too many lookups hang");
  const ofProbe = { signal, limit: PROBE_LOOKUPS_LIMIT };
  for (let index = 0; index < 48; index++) void resolver.resolve(`host${index}`, ofProbe);
  await refused(resolver.resolve("another", ofProbe));
  assertEquals(await resolver.resolveAll("panel", { signal }), ["192.0.2.1"]);
  for (let index = 0; index < 16; index++) void resolver.resolve(`another${index}`, { signal });
  await refused(resolver.resolveAll("panel", { signal }));
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

Deno.test("SystemResolver.lookUpAhead() tells of a failure only who asks", async () => {
  const resolver = resolverBy(() => Promise.reject(new Error("ENOTFOUND")));
  resolver.lookUpAhead("host");
  await new Promise((resolve) => setTimeout(resolve));
  await assertRejects(() => resolver.resolveAll("host", { signal }), Error, "Cannot resolve host");
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
