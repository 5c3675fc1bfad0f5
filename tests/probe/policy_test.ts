import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { ProbePolicy, ProbeRefusedError, TooManyProbesError } from "../../lib/probe/policy.ts";
import { sameLater } from "../cases.ts";
import { timed } from "../fake_time.ts";
import { restoring } from "../restoring.ts";
import { fakeResolver, policyOf } from "./fake_names.ts";

const { signal } = new AbortController();

/** A policy under which each name leads to the addresses that it lists, with `_` between them. */
function policy({ allowLocal = false } = {}): ProbePolicy {
  return policyOf(fakeResolver((host) => host.split("_")), { allowLocal });
}

/** One of a machine with these addresses, under which a name is its own address. */
function policyOn(own: () => readonly string[], allowLocal = false, broadcasts?: string[]) {
  const interfaceAddresses = () =>
    own().map((address) => ({
      ...{ name: "eth0", family: "IPv4" as const, address },
      ...broadcasts && { broadcasts },
    }));
  return new ProbePolicy(fakeResolver((host) => [host]), {
    machine: { interfaceAddresses },
    allowLocal,
  });
}

/** Why a policy refuses an address; empty when it does not. */
async function refusalOf(address: string, admitting = policy()): Promise<string> {
  try {
    await admitting.admit(address, { signal });
    return "";
  } catch (error) {
    assert(error instanceof ProbeRefusedError, `${error}`);
    return /is an? ([\w-]+) address(?! of)/.exec(error.message)?.[1] ?? error.message;
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
  const within = (hex: string) =>
    ["::", "::ffff:0:", "64:ff9b::", "64:ff9b:1::"].map((prefix) => prefix + hex)
      .concat(`2002:${hex}::1`).join(" ");
  const kinds = {
    "loopback": `127.0.0.1 127.255.255.254 ::1 0:0:0:0:0:0:0:1 ::ffff:127.0.0.1 ${
      within("7f00:1")
    }`,
    // The last of 169.254.169.254 behind each length of the prefix.
    "link-local": `169.254.169.254 fe80::1 febf::1 ::ffff:a9fe:a9fe ${within("a9fe:a9fe")}
      64:ff9b:1:a9fe:a9:fe00:: 64:ff9b:1:a9:fe:a9fe:: 64:ff9b:1:0:a9:fea9:fe00:0
      64:ff9b:1:0:0:0:a9fe:a9fe`,
    "metadata": `100.100.100.200 ::ffff:6464:64c8 168.63.129.16 192.0.0.192 100.96.0.96
      fd00:0ec2:0::254 fd00:ec2::23 fd20:ce::254 fd00:42::42 fd00:a9fe:a9fe::1 fd00:c1::a9fe:a9fe
      ${within("6464:64c8")}`,
    "multicast": "224.0.0.1 239.255.255.255 ff02::1 ff0e::1 ::ffff:224.0.0.1",
    "broadcast": "255.255.255.255 ::ffff:255.255.255.255",
    "unspecified": "0.0.0.0 0.1.2.3 :: ::ffff:0.0.0.0",
    "": `1.1.1.1 10.0.0.1 192.168.1.255 100.64.0.1 240.0.0.1 2606::1 fd00::1 2001:db8::ffff:7f00:1
      2001:db8::7f00:1 fec0::1 1:: 223.255.255.255 169.253.1.1 170.254.1.1 255.255.255.254
      64:ff9b::8.8.8.8 2002:808:808::1 64:ff9b:1::8.8.8.8 64:ff9b:2::7f00:1 ::ffff:0:8.8.8.8`,
  };
  for (const [kind, addresses] of Object.entries(kinds)) {
    await sameLater(refusalOf, addresses.split(/\s+/).map((address) => [address, kind]));
  }
  const own = policyOn(() => ["192.0.2.1", "2001:db8::1"]);
  const spellings = `192.0.2.1 ::ffff:192.0.2.1 2001:db8:0::1 ${within("c000:201")}`;
  for (const address of spellings.split(" ")) {
    assertStringIncludes(
      await refusalOf(address, own),
      `${address} is an address of this machine; --allow-local-probes permits it`,
    );
  }
});

Deno.test("ProbePolicy.admit() refuses the broadcast addresses of the machine's networks", async () => {
  for (const allowLocal of [false, true]) {
    const broadcasts = ["192.0.2.127", "192.0.2.99"];
    const admitting = policyOn(() => ["192.0.2.1"], allowLocal, broadcasts);
    await sameLater((address) => refusalOf(address, admitting), [
      ...[...broadcasts, "::ffff:192.0.2.127"].map((it) => [it, "broadcast"] as const),
      ["192.0.2.255", ""],
    ]);
  }
});

timed.test("ProbePolicy.admit() reads the machine's addresses once a minute, keeps them, and refuses all while it has none", async (time) => {
  let own: string[] = [];
  const read = () => {
    if (own.length === 0) throw new Error("not readable");
    return own;
  };
  const admitting = policyOn(read);
  const refused = async (address: string) => (await refusalOf(address, admitting)) !== "";
  const unknown = await refusalOf("192.0.2.1", admitting);
  assertStringIncludes(
    unknown,
    "192.0.2.1 may be an address of this machine, which can't be read;",
  );
  assertEquals(await refusalOf("169.254.169.254", admitting), "link-local");
  assertEquals(await refusalOf("192.0.2.1", policyOn(read, true)), "");
  for (
    const [now, afterMs, ofFirst, ofSecond] of [
      [["192.0.2.1"], 60_000, true, false],
      [["192.0.2.2"], 59_999, true, false],
      [["192.0.2.2"], 1, false, true],
      [[], 60_000, false, true],
    ] as const
  ) {
    own = [...now];
    time.tick(afterMs);
    assertEquals([await refused("192.0.2.1"), await refused("192.0.2.2")], [ofFirst, ofSecond]);
  }
});

Deno.test("ProbePolicy.admit() leaves out the addresses that may not be probed, and refuses a host that has no other", async () => {
  const admit = (host: string, allowLocal = false) =>
    policy({ allowLocal }).admit(host, { signal });
  assertEquals(await admit("fe80::1_192.0.2.1"), ["192.0.2.1"]);
  const why = "Refused to probe 127.0.0.1_::1: 127.0.0.1 is a loopback address; --allow-local-";
  await assertRejects(() => admit("127.0.0.1_::1"), ProbeRefusedError, why);
  assertEquals(await admit("127.0.0.1_::1", true), ["127.0.0.1", "::1"]);
  await assertRejects(() => admit("0.0.0.0", true), ProbeRefusedError);
});

timed.test("ProbePolicy.admit() gives up a name that is not resolved within 3 s", async (time) => {
  const hanging = policyOf(fakeResolver(() => new Promise(() => {})), { allowLocal: false });
  const admitted = hanging.admit("x.example", { signal });
  const refused = assertRejects(() => admitted, DOMException, "no answer within 3 s");
  time.tick(3000);
  await refused;
});

timed.test("ProbePolicy.admit() lets 20 requests a second through to an address, whatever names it, and lets none wait for more than ten seconds", async (time) => {
  const limited = policy();
  const controller = new AbortController();
  const admit = (host: string) => limited.admit(host, controller);
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
  for (let count = 0; count < 19; count++) await admit("192.0.2.1");
  const waiting = Array.from(
    { length: 10 * 20 },
    () => assertRejects(() => admit("192.0.2.1"), Error, "they waited"),
  );
  const refused = () => admit("192.0.2.1");
  await assertRejects(refused, TooManyProbesError, "192.0.2.1 more than 20 times a second");
  await admit("192.0.2.2");
  controller.abort(new Error("they waited"));
  await Promise.all(waiting);
});

timed.test("ProbePolicy.admit() forgets addresses that no request has gone to for a second", async (time) => {
  const deleted: unknown[] = [];
  const { delete: forget } = Map.prototype;
  using _ = restoring(Map.prototype, "delete");
  Map.prototype.delete = function (key) {
    deleted.push(key);
    return forget.call(this, key);
  };
  const limited = policy();
  for (const afterMs of [0, 999, 1]) {
    time.tick(afterMs);
    await limited.admit(`192.0.2.${afterMs % 7}`, { signal });
    assertEquals(deleted.includes("192.0.2.0"), afterMs === 1);
  }
});
