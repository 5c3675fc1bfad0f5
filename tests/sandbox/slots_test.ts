import { assertEquals, assertRejects } from "@std/assert";
import { Slots } from "../../lib/sandbox/slots.ts";

/** Work that ends when the test says so. */
function openWork() {
  const ends: (() => void)[] = [];
  const work = () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    ends.push(resolve);
    return promise;
  };
  return { ends, work };
}

/** Lets promises that are settled go on. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
}

Deno.test("Slots.run() runs as much as there is room for, and the rest in order", async () => {
  const { ends, work } = openWork();
  const slots = new Slots(2);
  const order: number[] = [];
  const all = [0, 1, 2, 3].map((index) => slots.run(work).then(() => order.push(index)));
  await settled();
  assertEquals(ends.length, 2);
  for (const index of [1, 0, 2, 3]) {
    ends[index]?.();
    await settled();
  }
  await Promise.all(all);
  assertEquals(order, [1, 0, 2, 3]);
});

Deno.test("Slots.run() keeps the room of work that nobody waits for until it ends", async () => {
  const { ends, work } = openWork();
  const slots = new Slots(1);
  const enough = new AbortController();
  const first = slots.run(work, { signal: enough.signal });
  await settled();
  enough.abort(new Error("enough"));
  await assertRejects(() => first, Error, "enough");
  const second = slots.run(work);
  await settled();
  assertEquals(ends.length, 1);
  ends[0]?.();
  await settled();
  assertEquals(ends.length, 2);
  ends[1]?.();
  await second;
});

Deno.test("Slots.run() starts nothing for who has stopped waiting", async () => {
  const { ends, work } = openWork();
  const slots = new Slots(1);
  const enough = new AbortController();
  const first = slots.run(work);
  const second = slots.run(work, { signal: enough.signal });
  const third = slots.run(work);
  await settled();
  enough.abort(new Error("enough"));
  await assertRejects(() => second, Error, "enough");
  ends[0]?.();
  await settled();
  assertEquals(ends.length, 2);
  ends[1]?.();
  await Promise.all([first, third]);
  await assertRejects(() => slots.run(work, { signal: enough.signal }), Error, "enough");
  assertEquals(ends.length, 2);
});

Deno.test("Slots.run() gives the room of work that fails to the next", async () => {
  const slots = new Slots(1);
  await assertRejects(() => slots.run(() => Promise.reject(new Error("failed"))), Error, "failed");
  assertEquals(await slots.run(() => Promise.resolve(7)), 7);
});

Deno.test("Slots.run() gives room back that came as soon as nobody waited for it", async () => {
  for (let turns = 0; turns < 10; turns++) {
    const { ends, work } = openWork();
    const slots = new Slots(1);
    const enough = new AbortController();
    const first = slots.run(work);
    const second = slots.run(work, { signal: enough.signal });
    second.catch(() => {});
    await settled();
    ends[0]?.();
    for (let turn = 0; turn < turns; turn++) await Promise.resolve();
    enough.abort(new Error("enough"));
    await settled();
    ends[1]?.();
    await first;
    await settled();
    const started = ends.length;
    const third = slots.run(work);
    await settled();
    assertEquals(ends.length, started + 1, `after ${turns} turns`);
    ends[started]?.();
    await third;
  }
});
