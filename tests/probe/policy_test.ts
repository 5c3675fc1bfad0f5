import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import type { InterfaceAddress } from "../../lib/host/host.ts";
import { ProbePolicy, ProbeRefusedError, TooManyProbesError } from "../../lib/probe/policy.ts";
import { timed } from "../fake_time.ts";
import { fakeResolver, policyOf } from "./fake_names.ts";
import { restoring } from "../restoring.ts";

const { signal } = new AbortController();

/** A policy under which each name leads to the addresses that it lists, with `_` between them. */
function policy({ allowLocal = false } = {}): ProbePolicy {
  return policyOf(fakeResolver((host) => host.split("_")), { allowLocal });
}

/** One of a machine with these addresses, under which a name is its own address. */
function policyOn(own: () => readonly InterfaceAddress[], allowLocal = false): ProbePolicy {
  const machine = { interfaceAddresses: () => [...own()] };
  return new ProbePolicy(fakeResolver((host) => [host]), { machine, allowLocal });
}

/** Why a policy refuses an address; empty when it does not. */
async function refusalOf(address: string, admitting = policy()): Promise<string> {
  try {
    await admitting.admit(address, { signal });
    return "";
  } catch (error) {
    assert(error instanceof ProbeRefusedError, `${error}`);
    return /is an? ([\w-]+) address/.exec(error.message)?.[1] ?? error.message;
  }
}

Deno.test("ProbePolicy.admit() leaves lookups for panels, however many of its own hang", async () => {
  const resolver = fakeResolver((host) =>
    host === "panel" ? ["192.0.2.1"] : new Promise<never>(() => {})
  );
  const probes = new AbortController();
  const asking = policyOf(resolver);
  const asked = Array.from({ length: 100 }, (_, n) => asking.admit(`host${n}`, probes));
  assertEquals(await resolver.resolveAll("panel", { signal }), ["192.0.2.1"]);
  probes.abort();
  const reasons = (await Promise.allSettled(asked)).map((it) => "reason" in it && `${it.reason}`);
  assertEquals(reasons.filter((it) => it && it.includes("too many lookups hang")).length, 52);
});

Deno.test("ProbePolicy.admit() refuses what no probe may reach, in each of its spellings", async () => {
  const kinds = {
    "loopback": ["127.0.0.1", "127.255.255.254", "::1", "0:0:0:0:0:0:0:1", "::ffff:127.0.0.1"],
    "link-local": ["169.254.169.254", "fe80::1", "febf::1", "::ffff:a9fe:a9fe"],
    "metadata": [
      ...["100.100.100.200", "::ffff:6464:64c8", "168.63.129.16", "192.0.0.192", "100.96.0.96"],
      ...["fd00:0ec2:0::254", "fd00:ec2::23", "fd20:ce::254", "fd00:42::42", "fd00:a9fe:a9fe::1"],
    ],
    "multicast": ["224.0.0.1", "239.255.255.255", "ff02::1", "ff0e::1", "::ffff:224.0.0.1"],
    "broadcast": ["255.255.255.255", "::ffff:255.255.255.255"],
    "unspecified": ["0.0.0.0", "0.1.2.3", "::", "::ffff:0.0.0.0"],
    "": [
      ...["1.1.1.1", "10.0.0.1", "192.168.1.255", "100.64.0.1", "240.0.0.1", "2606::1", "fd00::1"],
      ...["2001:db8::ffff:7f00:1", "2001:db8::7f00:1", "fec0::1", "1::", "223.255.255.255"],
      ...["169.253.1.1", "170.254.1.1", "255.255.255.254", "64:ff9b::8.8.8.8", "2002:808:808::1"],
      ...["64:ff9b:1::8.8.8.8", "64:ff9b:2::7f00:1", "::ffff:0:8.8.8.8"],
    ],
  };
  for (const [kind, addresses] of Object.entries(kinds)) {
    for (const address of addresses) assertEquals(await refusalOf(address), kind, address);
  }
});

Deno.test("ProbePolicy.admit() refuses addresses of IPv6 that lead to such a one of IPv4", async () => {
  const within = (hex: string) => [
    ...["::", "::ffff:0:", "64:ff9b::", "64:ff9b:1::"].map((prefix) => prefix + hex),
    `2002:${hex}::1`,
  ];
  for (const address of within("a9fe:a9fe")) assertEquals(await refusalOf(address), "link-local");
  for (const address of within("7f00:1")) assertEquals(await refusalOf(address), "loopback");
  for (const address of within("6464:64c8")) assertEquals(await refusalOf(address), "metadata");
  // 169.254.169.254 behind each length of the prefix.
  for (const rest of ["a9fe:a9:fe00::", "a9:fe:a9fe::", "0:a9:fea9:fe00:0", "0:0:0:a9fe:a9fe"]) {
    assertEquals(await refusalOf(`64:ff9b:1:${rest}`), "link-local", rest);
  }
  const own = [{ name: "eth0", family: "IPv4" as const, address: "192.0.2.1" }];
  const admitting = policyOn(() => own);
  for (const address of within("c000:201")) {
    assertStringIncludes(await refusalOf(address, admitting), "is an address of this machine");
  }
});

Deno.test("ProbePolicy.admit() refuses the broadcast addresses of the machine's networks", async () => {
  const address = { name: "eth0", family: "IPv4", address: "192.0.2.1" } as const;
  const broadcasts = ["192.0.2.127", "192.0.2.99"];
  for (const allowLocal of [false, true]) {
    const admitting = policyOn(() => [{ ...address, broadcasts }], allowLocal);
    for (const address of ["192.0.2.127", "192.0.2.99", "::ffff:192.0.2.127"]) {
      assertEquals(await refusalOf(address, admitting), "broadcast");
    }
    assertEquals(await refusalOf("192.0.2.255", admitting), "");
  }
});

timed.test("ProbePolicy.admit() refuses every probe while the machine's addresses can't be read", async (time) => {
  let isReadable = false;
  const own = () => {
    if (!isReadable) throw new Error("not readable");
    return [];
  };
  const admitting = policyOn(own);
  for (let count = 0; count < 2; count++) {
    const why = "192.0.2.1 may be an address of this machine, which can't be read; --allow-local-";
    assertStringIncludes(await refusalOf("192.0.2.1", admitting), why);
  }
  assertEquals(await refusalOf("169.254.169.254", admitting), "link-local");
  assertEquals(await refusalOf("192.0.2.1", policyOn(own, true)), "");
  isReadable = true;
  time.tick(60_000);
  assertEquals(await refusalOf("192.0.2.1", admitting), "");
});

Deno.test("ProbePolicy.admit() leaves out the addresses that may not be probed, and refuses a host that has no other", async () => {
  assertEquals(await policy().admit("fe80::1_192.0.2.1", { signal }), ["192.0.2.1"]);
  const why = "Refused to probe 127.0.0.1_::1: 127.0.0.1 is a loopback address; --allow-local-";
  await assertRejects(() => policy().admit("127.0.0.1_::1", { signal }), ProbeRefusedError, why);
  const allowed = policy({ allowLocal: true });
  assertEquals(await allowed.admit("127.0.0.1_::1", { signal }), ["127.0.0.1", "::1"]);
  await assertRejects(() => allowed.admit("0.0.0.0", { signal }), ProbeRefusedError);
});

timed.test("ProbePolicy.admit() refuses the machine's own addresses, in each of their spellings", async (time) => {
  let own = ["192.0.2.1", "2001:db8::1", "fe80::1", "::1"];
  let reads = 0;
  const addresses = () => {
    reads++;
    if (own.length === 0) throw new Error("no addresses");
    return own.map((address) => ({ name: "eth0", family: "IPv4" as const, address }));
  };
  const policy = policyOn(addresses);
  for (const address of ["192.0.2.1", "::ffff:192.0.2.1", "2001:db8:0::1"]) {
    const why = `${address} is an address of this machine; --allow-local-probes permits it`;
    await assertRejects(() => policy.admit(address, { signal }), ProbeRefusedError, why);
  }
  assertEquals(await policy.admit("192.0.2.2", { signal }), ["192.0.2.2"]);
  time.tick(59_999);
  assertEquals(await policy.admit("192.0.2.2", { signal }), ["192.0.2.2"]);
  assertEquals(reads, 1);
  time.tick(1);
  await policy.admit("192.0.2.2", { signal });
  assertEquals(reads, 2);
  // They may change, and be unreadable.
  own = [];
  time.tick(60_000);
  await assertRejects(() => policy.admit("192.0.2.1", { signal }), ProbeRefusedError);
  own = ["192.0.2.2"];
  time.tick(60_000);
  assertEquals(await policy.admit("192.0.2.1", { signal }), ["192.0.2.1"]);
  await assertRejects(() => policy.admit("192.0.2.2", { signal }), ProbeRefusedError);
  assertEquals(await policyOn(addresses, true).admit("192.0.2.2", { signal }), ["192.0.2.2"]);
});

timed.test("ProbePolicy.admit() gives up a name that is not resolved within 3 s", async (time) => {
  const resolver = fakeResolver(() => new Promise(() => {}));
  const hanging = policyOf(resolver, { allowLocal: false });
  const admitted = hanging.admit("x.example", { signal });
  const refused = assertRejects(() => admitted, DOMException, "no answer within 3 s");
  time.tick(3000);
  await refused;
});

timed.test("ProbePolicy.admit() lets 20 requests a second through to an address, whatever names it", async (time) => {
  const limited = policy();
  const admit = (host: string) => limited.admit(host, { signal });
  // Each second anew, also where it began in the middle of the one before.
  for (let second = 0; second < 3; second++) {
    for (let count = 0; count < 20; count++) await admit("192.0.2.1");
    await admit("192.0.2.2");
    time.tick(1000);
  }
  for (let count = 0; count < 20; count++) await admit("192.0.2.1");
  // Another name of the same address, behind one that differs.
  const waits = admit("2001:db8::9_192.0.2.1");
  assertEquals(await time.until(waits, { withinMs: 2000, stepMs: 100 }), 1000);
  // Another spelling of it.
  for (let count = 0; count < 19; count++) await admit("::ffff:192.0.2.1");
  const spelt = admit("::ffff:c000:201");
  assertEquals(await time.until(spelt, { withinMs: 2000, stepMs: 100 }), 1000);
});

timed.test("ProbePolicy.admit() refuses who would wait for more than ten seconds", async (time) => {
  const full = policy();
  const controller = new AbortController();
  for (let count = 0; count < 20; count++) await full.admit("192.0.2.1", { signal });
  const wait = () => assertRejects(() => full.admit("192.0.2.1", controller), Error, "they waited");
  const waiting = Array.from({ length: 10 * 20 }, wait);
  const refused = () => full.admit("192.0.2.1", { signal });
  await assertRejects(refused, TooManyProbesError, "192.0.2.1 more than 20 times a second");
  await full.admit("192.0.2.2", { signal });
  time.tick(900);
  controller.abort(new Error("they waited"));
  await Promise.all(waiting);
});

timed.test("ProbePolicy.admit() keeps no more than 1024 addresses that no request goes to", async (time) => {
  const { set } = Map.prototype;
  let kept: Map<unknown, unknown> | undefined;
  using _ = restoring(Map.prototype, "set");
  Map.prototype.set = function (key, value) {
    if (key === "192.0.2.0") kept = this;
    return set.call(this, key, value);
  };
  const limited = policy();
  const admit = (last: number, third = 2) => limited.admit(`192.0.${third}.${last}`, { signal });
  for (let third = 2; third < 6; third++) {
    for (let last = 0; last < 256; last++) await admit(last, third);
  }
  time.tick(999);
  await admit(0, 6);
  assertEquals(kept?.size, 1025, "their limit still counts");
  time.tick(1);
  await admit(1, 6);
  assertEquals(kept?.size, 2);
});
