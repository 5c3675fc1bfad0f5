import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { Rates } from "../../lib/metrics/rates.ts";
import { TrafficTotal } from "../../lib/metrics/traffic_total.ts";
import type { Speeds, TrafficBytes } from "../../lib/types.ts";
import { testsWith } from "../tests_with.ts";

function nic(name: string, receivedBytes: number, sentBytes: number) {
  return { name, receivedBytes, sentBytes };
}

const RATES = new WeakMap<TrafficTotal, Rates>();

/** What the panel of a total gets at a time: the total, and the speeds since the look before. */
function trafficAt(sum: TrafficTotal, atMs: number): TrafficBytes & Partial<Speeds> {
  const rates = RATES.get(sum) ?? new Rates();
  RATES.set(sum, rates);
  const { speeds } = rates.report({ passed: sum.passedAt(atMs), failures: [] });
  return { ...sum.bytes(), ...speeds };
}

const withTotal = testsWith(() => new TrafficTotal());

withTotal.test("TrafficTotal.passedAt() returns initial counters and no rate at first", (sum) => {
  assertEquals(sum.isEmpty(), true);
  sum.add(nic("eth0", 100, 10));
  sum.add(nic("eth1", 200, 20));
  assertEquals(trafficAt(sum, 0), { sentBytes: 30, receivedBytes: 300 });
  assertEquals(sum.isEmpty(), false);
});

withTotal.test("TrafficTotal.passedAt() returns rates over the elapsed time", (sum) => {
  sum.add(nic("eth0", 100, 10));
  trafficAt(sum, 1_000);
  sum.add(nic("eth0", 1_100, 30));
  assertEquals(trafficAt(sum, 3_000), {
    sentBytes: 30,
    receivedBytes: 1_100,
    sentBytesPerSecond: 10,
    receivedBytesPerSecond: 500,
  });
});

withTotal.test("TrafficTotal.passedAt() has in its next rate what passed while no time did", (sum) => {
  sum.add(nic("eth0", 100, 10));
  trafficAt(sum, 1_000);
  sum.add(nic("eth0", 1_100, 30));
  trafficAt(sum, 1_000);
  assertEquals(trafficAt(sum, 2_000).receivedBytesPerSecond, 1_000);
});

withTotal.test("TrafficTotal.passedAt() has rates again soon after a clock that was set back", (sum) => {
  sum.add(nic("eth0", 100, 10));
  trafficAt(sum, 9_000);
  sum.add(nic("eth0", 1_100, 30));
  trafficAt(sum, 1_000);
  sum.add(nic("eth0", 3_100, 50));
  assertEquals(trafficAt(sum, 2_000).receivedBytesPerSecond, 2_000);
});

withTotal.test("TrafficTotal.add() continues by the name where an older state knows no index", (sum) => {
  sum.restore("eth0", nic("eth0", 1_000, 100));
  sum.add(nic("eth0", 1_007, 103), 2);
  assertEquals(sum.bytes(), { sentBytes: 3, receivedBytes: 7 });
});

withTotal.test("TrafficTotal.add() adds a later interface to the total, not to the rate", (sum) => {
  sum.add(nic("eth0", 0, 0));
  trafficAt(sum, 0);
  sum.add(nic("ppp0", 5_000_000, 1_000));
  assertEquals(trafficAt(sum, 1_000), {
    sentBytes: 1_000,
    receivedBytes: 5_000_000,
    sentBytesPerSecond: 0,
    receivedBytesPerSecond: 0,
  });
  sum.add(nic("ppp0", 5_000_100, 1_000));
  assertEquals(trafficAt(sum, 2_000).receivedBytesPerSecond, 100);
});

withTotal.test("TrafficTotal.markGone() keeps the bytes, and a returning device continues from them", (sum) => {
  sum.add(nic("eth0", 1_000, 100));
  trafficAt(sum, 0);
  sum.markGone("eth0");
  assertEquals(trafficAt(sum, 1_000).receivedBytes, 1_000);
  sum.add(nic("eth0", 1_200, 100));
  assertEquals(trafficAt(sum, 2_000), {
    sentBytes: 100,
    receivedBytes: 1_200,
    sentBytesPerSecond: 0,
    receivedBytesPerSecond: 0,
  });
});

withTotal.test("TrafficTotal.markGone() lets another device of the same name start at 0", (sum) => {
  sum.add(nic("usb0", 1_000, 100));
  sum.markGone("usb0");
  sum.add(nic("usb0", 30, 200));
  // The counter of sent bytes looks as if it went on: too few bytes rather than too many.
  assertEquals(trafficAt(sum, 0), { sentBytes: 200, receivedBytes: 1_030 });
});

Deno.test("TrafficTotal.passedAt() never falls, jumps or returns invalid numbers", () => {
  const bytes = fc.nat({ max: 1_000_000 });
  const step = fc.oneof(
    fc.record({ name: fc.constantFrom("a", "b", "c"), received: bytes, sent: bytes }),
    fc.record({ name: fc.constantFrom("a", "b", "c") }),
  );
  fc.assert(fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
    const sum = new TrafficTotal();
    let before = trafficAt(sum, 0);
    for (const [index, now] of steps.entries()) {
      if ("received" in now) sum.add(nic(now.name, now.received, now.sent));
      else sum.markGone(now.name);
      const after = trafficAt(sum, (index + 1) * 1_000);
      assert(after.receivedBytes >= before.receivedBytes && after.sentBytes >= before.sentBytes);
      assert(after.receivedBytes - before.receivedBytes <= 1_000_000);
      const speed = after.receivedBytesPerSecond ?? NaN;
      assert(speed >= 0 && speed <= after.receivedBytes - before.receivedBytes);
      before = after;
    }
  }));
});

withTotal.test("TrafficTotal.markGone() remembers the counters of the last 64 interfaces that left", (sum) => {
  for (let index = 0; index < 100; index++) {
    sum.add(nic(`veth${index}`, 1000, 100), index + 1);
    sum.markGone(`veth${index}`);
  }
  assertEquals([...sum.counters().keys()], Array.from({ length: 64 }, (_, at) => `veth${at + 36}`));
  assertEquals(sum.indexes().size, 64);
  const before = sum.bytes();
  sum.add(nic("veth36", 1001, 101));
  assertEquals(sum.bytes(), {
    sentBytes: before.sentBytes + 1,
    receivedBytes: before.receivedBytes + 1,
  });
  sum.add(nic("veth0", 1001, 101));
  assertEquals(sum.bytes(), {
    sentBytes: before.sentBytes + 1 + 101,
    receivedBytes: before.receivedBytes + 1 + 1001,
  });
});

Deno.test("TrafficTotal.add() takes a fall of a hundredth for jitter, and of more for a reset", () => {
  const totalAfter = (bytes: number) => {
    const sum = new TrafficTotal();
    sum.add(nic("eth0", 1_000, 1_000));
    sum.add(nic("eth0", bytes, bytes));
    return sum.bytes().receivedBytes;
  };
  assertEquals([1_000, 995, 990].map(totalAfter), [1_000, 1_000, 1_000]);
  assertEquals([989, 950, 0].map(totalAfter), [1_989, 1_950, 1_000]);
});

withTotal.test("TrafficTotal.indexes() has no index of one that had the name before", (total) => {
  const bytes = { sentBytes: 1, receivedBytes: 2 };
  total.restore("eth0", bytes, 5);
  total.restore("eth1", bytes, 6);
  total.restore("eth0", bytes);
  assertEquals([...total.indexes()], [["eth1", 6]]);
});

withTotal.test("TrafficTotal.add() takes the index of an interface that is told later", (sum) => {
  sum.add(nic("eth0", 1_000, 100));
  sum.add(nic("eth0", 1_100, 110), 2);
  assertEquals([...sum.indexes()], [["eth0", 2]]);
  sum.markGone("eth0");
  sum.add(nic("lan0", 1_200, 120), 2);
  assertEquals(sum.bytes(), { sentBytes: 120, receivedBytes: 1_200 });
  assertEquals([[...sum.counters().keys()], [...sum.indexes()]], [["lan0"], [["lan0", 2]]]);
});

Deno.test("TrafficTotal.add() goes on from the last of several that had the index or the name", () => {
  for (const index of [5, undefined]) {
    const total = new TrafficTotal();
    total.restore("eth0", { sentBytes: 1_000, receivedBytes: 1_000 }, index);
    total.restore("eth0", { sentBytes: 5_000, receivedBytes: 5_000 }, index);
    total.add(nic("eth0", 5_001, 5_001), index);
    assertEquals(total.bytes().sentBytes, 1);
  }
});
