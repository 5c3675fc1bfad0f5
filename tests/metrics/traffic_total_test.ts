import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { TrafficTotal } from "../../lib/metrics/traffic_total.ts";
import { same } from "../cases.ts";
import { rated } from "./rated.ts";

/** A total with one panel that looks at it; as many bytes are sent as received. */
class Total {
  readonly sum = new TrafficTotal();
  #atMs = 0;
  readonly #look = rated({
    collect: () => this.sum.bytes(),
    passedAt: () => this.sum.passedAt(this.#atMs),
  });

  add(name: string, bytes: number, index?: number): number {
    this.sum.add({ name, receivedBytes: bytes, sentBytes: bytes }, index);
    return this.sum.bytes().receivedBytes;
  }

  restore(name: string, bytes: number, index?: number): void {
    this.sum.restore(name, { receivedBytes: bytes, sentBytes: bytes }, index);
  }

  /** Total and speed at a time. */
  at(ms: number): [total: number | undefined, speed: number | undefined] {
    this.#atMs = ms;
    const traffic = this.#look();
    assertEquals(traffic?.sentBytes, traffic?.receivedBytes);
    return [traffic?.receivedBytes, traffic?.receivedBytesPerSecond];
  }
}

Deno.test("TrafficTotal adds initial counters without a speed, and then what passes over the time", () => {
  const total = new Total();
  total.add("eth0", 100);
  total.add("eth1", 200);
  assertEquals(total.at(1_000), [300, undefined]);
  total.add("eth0", 1_100);
  assertEquals(total.at(3_000), [1_300, 500]);
  // A later interface is no speed.
  total.add("ppp0", 5_000_000);
  assertEquals(total.at(4_000), [5_001_300, 0]);
});

Deno.test("TrafficTotal goes on from the counters of an interface that returns, by its index, else its name", () => {
  const total = new Total();
  total.add("eth0", 1_000);
  total.at(0);
  total.sum.markGone("eth0");
  assertEquals(total.at(1_000), [1_000, 0]);
  total.add("eth0", 1_200);
  assertEquals(total.at(2_000), [1_200, 0]);
  total.sum.markGone("eth0");
  assertEquals(total.add("eth0", 30), 1_230, "another device of the name starts at 0");
  // Its index is told later, and outlives its name.
  total.add("eth0", 130, 2);
  total.sum.markGone("eth0");
  assertEquals(total.add("lan0", 230, 2), 1_430);
  assertEquals([...total.sum.counters().keys()], ["lan0"]);
  assertEquals([...total.sum.indexes()], [["lan0", 2]]);
});

Deno.test("TrafficTotal remembers the counters of the last 64 interfaces that left", () => {
  const total = new Total();
  for (let index = 0; index < 100; index++) {
    total.add(`veth${index}`, 1_000, index + 1);
    total.sum.markGone(`veth${index}`);
  }
  const names = Array.from({ length: 64 }, (_, at) => `veth${at + 36}`);
  assertEquals([[...total.sum.counters().keys()], total.sum.indexes().size], [names, 64]);
  assertEquals([total.add("veth36", 1_001), total.add("veth0", 1_001)], [100_001, 101_002]);
});

Deno.test("TrafficTotal takes a fall of a hundredth for jitter, and of more for a reset", async () => {
  await same((bytes) => {
    const total = new Total();
    total.add("eth0", 1_000);
    return total.add("eth0", bytes);
  }, [[1_000, 1_000], [995, 1_000], [990, 1_000], [989, 1_989], [950, 1_950], [0, 1_000]]);
  const total = new Total();
  for (const bytes of [1_000, 995, 1_000, 992]) total.add("eth0", bytes);
  assertEquals(total.add("eth0", 1_001), 1_001, "what swings counts once");
});

Deno.test("TrafficTotal never falls, jumps or has invalid speeds", () => {
  const step = fc.tuple(fc.constantFrom("a", "b", "c"), fc.option(fc.nat({ max: 1_000_000 })));
  fc.assert(fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
    const total = new Total();
    let [before = 0] = total.at(0);
    for (const [index, [name, bytes]] of steps.entries()) {
      if (bytes === null) total.sum.markGone(name);
      else total.add(name, bytes);
      const [after = NaN, speed = NaN] = total.at((index + 1) * 1_000);
      assert(after >= before && after - before <= 1_000_000);
      assert(speed >= 0 && speed <= after - before);
      before = after;
    }
  }));
});
