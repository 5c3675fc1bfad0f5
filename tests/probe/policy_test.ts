import { assert, assertEquals, assertRejects } from "@std/assert";
import { ProbePolicy, ProbeRefusedError, TooManyProbesError } from "../../lib/probe/policy.ts";
import { sameLater } from "../cases.ts";
import { timed } from "../fake_time.ts";
import { restoring } from "../restoring.ts";
import { fakeResolver } from "./fake_names.ts";

const { signal } = new AbortController();

const PERMIT = "; --allow-local-probes permits it";

/** One under which a name leads to the addresses that it lists, on a machine with `own` addresses. */
function policy({
  own = (): readonly string[] => [],
  broadcasts = [] as readonly string[],
  allowLocal = false,
  resolver = fakeResolver((host) => host.split("_")),
} = {}): ProbePolicy {
  const interfaceAddresses = () =>
    own().map((address) => ({ name: "eth0", family: "IPv4" as const, address, broadcasts }));
  return new ProbePolicy(resolver, { machine: { interfaceAddresses }, allowLocal });
}

/** Why a policy refuses an address; empty when it does not. */
async function refusalOf(address: string, admitting: ProbePolicy): Promise<string> {
  try {
    await admitting.admit(address, { signal });
    return "";
  } catch (error) {
    assert(error instanceof ProbeRefusedError, `${error}`);
    return error.message.replace(`Refused to probe ${address}: ${address} `, "");
  }
}

Deno.test("ProbePolicy.admit() leaves lookups for panels, however many of its own hang", async () => {
  const resolver = fakeResolver((host) =>
    host === "panel" ? ["192.0.2.1"] : new Promise<never>(() => {})
  );
  const probes = new AbortController();
  const asking = policy({ resolver });
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
  const broadcasts = ["192.0.2.127", "192.0.2.99"];
  const own = () => ["192.0.2.1", "2001:db8::1"];
  const kinds = {
    [`is a loopback address${PERMIT}`]: `127.0.0.1 127.255.255.254 ::1 0:0:0:0:0:0:0:1
      ::ffff:127.0.0.1 ${within("7f00:1")}`,
    [`is an address of this machine${PERMIT}`]: `192.0.2.1 ::ffff:192.0.2.1 2001:db8:0::1
      ${within("c000:201")}`,
    // The last of 169.254.169.254 behind each length of the prefix.
    "is a link-local address": `169.254.169.254 fe80::1 febf::1 ::ffff:a9fe:a9fe
      ${within("a9fe:a9fe")} 64:ff9b:1:a9fe:a9:fe00:: 64:ff9b:1:a9:fe:a9fe::
      64:ff9b:1:0:a9:fea9:fe00:0 64:ff9b:1:0:0:0:a9fe:a9fe`,
    "is a metadata address": `100.100.100.200 ::ffff:6464:64c8 168.63.129.16 192.0.0.192 100.96.0.96
      fd00:0ec2:0::254 fd00:ec2::23 fd20:ce::254 fd00:42::42 fd00:a9fe:a9fe::1 fd00:c1::a9fe:a9fe
      ${within("6464:64c8")}`,
    "is a multicast address": "224.0.0.1 239.255.255.255 ff02::1 ff0e::1 ::ffff:224.0.0.1",
    "is a broadcast address": `255.255.255.255 ::ffff:255.255.255.255 ${broadcasts.join(" ")}
      ::ffff:192.0.2.127`,
    "is an unspecified address": "0.0.0.0 0.1.2.3 :: ::ffff:0.0.0.0",
    "": `1.1.1.1 10.0.0.1 192.168.1.255 192.0.2.255 100.64.0.1 240.0.0.1 2606::1 fd00::1 fec0::1 1::
      2001:db8::ffff:7f00:1 2001:db8::7f00:1 223.255.255.255 169.253.1.1 170.254.1.1 255.255.255.254
      64:ff9b::8.8.8.8 2002:808:808::1 64:ff9b:1::8.8.8.8 64:ff9b:2::7f00:1 ::ffff:0:8.8.8.8`,
  };
  for (const allowLocal of [false, true]) {
    const admitting = policy({ own, broadcasts, allowLocal });
    for (const [kind, addresses] of Object.entries(kinds)) {
      const refusal = allowLocal && kind.endsWith(PERMIT) ? "" : kind;
      const rows = addresses.split(/\s+/).map((address) => [address, refusal] as const);
      await sameLater((address) => refusalOf(address, admitting), rows);
    }
  }
});

timed.test("ProbePolicy.admit() reads the machine's addresses once a minute, keeps them, and refuses all while it has none", async (time) => {
  let addresses: string[] = [];
  const own = () => {
    if (addresses.length === 0) throw new Error("not readable");
    return addresses;
  };
  const admitting = policy({ own });
  const unknown = `may be an address of this machine, which can't be read${PERMIT}`;
  assertEquals(await refusalOf("192.0.2.1", admitting), unknown);
  assertEquals(await refusalOf("169.254.169.254", admitting), "is a link-local address");
  assertEquals(await refusalOf("192.0.2.1", policy({ own, allowLocal: true })), "");
  const refused = async ([now, afterMs]: readonly [string, number]) => {
    addresses = now === "" ? [] : [now];
    time.tick(afterMs);
    const both = ["192.0.2.1", "192.0.2.2"].map((address) => refusalOf(address, admitting));
    return (await Promise.all(both)).map((refusal) => refusal !== "");
  };
  await sameLater(refused, [
    [["192.0.2.1", 60_000], [true, false]],
    [["192.0.2.2", 59_999], [true, false]],
    [["192.0.2.2", 1], [false, true]],
    [["", 60_000], [false, true]],
  ]);
});

Deno.test("ProbePolicy.admit() leaves out the addresses that may not be probed, and refuses a host that has no other", async () => {
  assertEquals(await policy().admit("fe80::1_192.0.2.1", { signal }), ["192.0.2.1"]);
  const admit = (allowLocal: boolean) => policy({ allowLocal }).admit("127.0.0.1_::1", { signal });
  const why = "Refused to probe 127.0.0.1_::1: 127.0.0.1 is a loopback address; --allow-local-";
  await assertRejects(() => admit(false), ProbeRefusedError, why);
  assertEquals(await admit(true), ["127.0.0.1", "::1"]);
});

timed.test("ProbePolicy.admit() gives up a name that is not resolved within 3 s", async (time) => {
  const hanging = policy({ resolver: fakeResolver(() => new Promise(() => {})) });
  const admitted = hanging.admit("x.example", { signal });
  const refused = assertRejects(() => admitted, DOMException, "no answer within 3 s");
  time.tick(3000);
  await refused;
});

timed.test("ProbePolicy.admit() lets 20 requests a second through to an address, whatever names it, and lets none wait for more than ten seconds", async (time) => {
  const limited = policy();
  const controller = new AbortController();
  const admit = (host: string) => limited.admit(host, controller);
  const admitMany = async (count: number, host: string) => {
    for (let n = 0; n < count; n++) await admit(host);
  };
  const assertWaits = async (host: string) =>
    assertEquals(await time.until(admit(host), { withinMs: 2000, stepMs: 100 }), 1000);
  // Each second anew, also where it began in the middle of the one before.
  for (let second = 0; second < 3; second++) {
    await admitMany(20, "192.0.2.1");
    await admit("192.0.2.2");
    time.tick(1000);
  }
  // Any address of a name that has several, and all of a /64.
  await admitMany(20, "2001:db8::9");
  await assertWaits("192.0.2.3_2001:db8::ffff");
  await admitMany(20, "192.0.2.1");
  // Another name of the same address, beside one that differs, and another spelling of it.
  for (const host of ["2001:db8::9_192.0.2.1", "::ffff:c000:201"]) {
    await assertWaits(host);
    await admitMany(19, "::ffff:192.0.2.1");
  }
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
