import { assertEquals, assertRejects } from "@std/assert";
import { createClock } from "@sinonjs/fake-timers";
import { addressKind, ProbePolicy, ProbeRefusedError } from "../../lib/probe/policy.ts";

const { signal } = new AbortController();

function policy(
  options: { allowLoopback?: boolean; addresses?: string[]; monotonicMs?: () => number } = {},
): ProbePolicy {
  const { addresses = [], allowLoopback = false, monotonicMs = () => 0 } = options;
  const resolver = { resolve: () => Promise.resolve(addresses) };
  return new ProbePolicy({ allowLoopback, resolver, monotonicMs });
}

Deno.test("addressKind() tells what may not be probed, in each of its spellings", () => {
  const kinds = {
    "loopback": ["127.0.0.1", "127.255.255.254", "::1", "0:0:0:0:0:0:0:1", "::ffff:127.0.0.1"],
    "link-local": ["169.254.169.254", "fe80::1", "febf::1", "::ffff:a9fe:a9fe"],
    "multicast": ["224.0.0.1", "239.255.255.255", "ff02::1", "ff0e::1", "::ffff:224.0.0.1"],
    "broadcast": ["255.255.255.255", "::ffff:255.255.255.255"],
    "unspecified": ["0.0.0.0", "0.1.2.3", "::", "::ffff:0.0.0.0", "no address"],
    "other": [
      "1.1.1.1",
      "10.0.0.1",
      "192.168.1.255",
      "100.64.0.1",
      "240.0.0.1",
      "2606::1",
      "fd00::1",
    ],
  };
  for (const [kind, addresses] of Object.entries(kinds)) {
    for (const address of addresses) assertEquals(addressKind(address), kind, address);
  }
  // Addresses of IPv4 in the deprecated form.
  assertEquals(addressKind("::7f00:1"), "loopback");
});

Deno.test("ProbePolicy.resolve() leaves out the addresses that may not be probed", async () => {
  const addresses = ["169.254.1.1", "192.0.2.1"];
  assertEquals(await policy({ addresses }).resolve("x", { signal }), ["192.0.2.1"]);
});

Deno.test("ProbePolicy.resolve() refuses a host that has no other addresses", async () => {
  const refused = policy({ addresses: ["127.0.0.1", "::1"] });
  await assertRejects(
    () => refused.resolve("x.example", { signal }),
    ProbeRefusedError,
    "Refused to probe x.example: 127.0.0.1 is a loopback address; --allow-local-probes permits it",
  );
  const allowed = policy({ addresses: ["127.0.0.1", "::1"], allowLoopback: true });
  assertEquals(await allowed.resolve("x", { signal }), ["127.0.0.1", "::1"]);
  const unspecified = policy({ addresses: ["0.0.0.0"], allowLoopback: true });
  await assertRejects(() => unspecified.resolve("x", { signal }), ProbeRefusedError);
});

Deno.test("ProbePolicy.wait() spaces the probes of an address and port, and no others", async () => {
  const clock = createClock();
  const spaced = policy({ monotonicMs: () => clock.now });
  await spaced.wait(["192.0.2.1"], { port: 80, signal });
  await spaced.wait(["192.0.2.1"], { port: 443, signal });
  await spaced.wait(["192.0.2.1"], { signal });
  await spaced.wait(["192.0.2.2"], { port: 80, signal });
  clock.tick(1000);
  await spaced.wait(["192.0.2.1"], { port: 80, signal });
  // Another name of the same address, behind one that differs.
  const aborted = AbortSignal.abort(new Error("it waits"));
  await assertRejects(
    () => spaced.wait(["192.0.2.9", "192.0.2.1"], { port: 80, signal: aborted }),
    Error,
    "it waits",
  );
});

Deno.test("ProbePolicy.wait() refuses who would wait for more than ten seconds", async () => {
  const full = policy();
  const aborted = AbortSignal.abort(new Error("it waits"));
  await full.wait(["192.0.2.1"], { signal });
  for (let count = 0; count < 10; count++) {
    await assertRejects(() => full.wait(["192.0.2.1"], { signal: aborted }), Error, "it waits");
  }
  await assertRejects(
    () => full.wait(["192.0.2.1"], { signal }),
    ProbeRefusedError,
    "Refused to probe 192.0.2.1 more than once a second",
  );
});
