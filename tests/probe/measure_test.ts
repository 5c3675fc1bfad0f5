import { assertEquals, assertRejects } from "@std/assert";
import { measure, withinLimit } from "../../lib/probe/measure.ts";
import type { ProbeKind } from "../../lib/types.ts";
import { cases, sameLater } from "../cases.ts";
import { FakeTime, timed } from "../fake_time.ts";

const { signal } = new AbortController();

/** Runs tries of these values, `x` for a failing one: the result or `lost`, and how many there were. */
async function play(text: string): Promise<string> {
  const [kinds = "", ...tries] = text.split(/ +/);
  const results = new Set<string>();
  for (const kind of kinds.split(",") as ProbeKind[]) {
    using time = new FakeTime();
    let count = 0;
    const result = await measure(() => {
      const value = tries[count++];
      if (value === undefined) throw new Error("one try too many");
      return value === "x" ? Promise.reject(new Error("refused")) : Promise.resolve(Number(value));
    }, kind).then(String, () => "lost");
    assertEquals(time.timers, 0);
    results.add(`${result}, ${count}`);
  }
  return [...results].join(" or ");
}

Deno.test("measure() keeps the official rule", async () => {
  const table = cases(`
  icmp,tcp,http 12.9                 → 12.9, 1
  icmp,tcp,http 0                    → 0, 1
  icmp,tcp,http 1000.9               → 1000.9, 1
  icmp,tcp,http x                    → lost, 1
  icmp,tcp,http 1001 1000            → 1000, 2
  icmp,tcp,http 1500 700.9           → 700.9, 2
  icmp,http     1500 699             → 699, 2
  tcp           1500 699             → lost, 2
  tcp           1500 1499 700        → 700, 3
  tcp           2900 1100 950        → lost, 3
  icmp,tcp,http 1500 1400 1300 900   → 900, 4
  icmp,tcp,http 1500 1400 1300 1200  → lost, 4
  icmp,tcp,http 1500 x               → lost, 2
  icmp,tcp,http 1500 1500 1500 x     → lost, 4
  icmp,tcp,http NaN                  → lost, 1
  icmp,tcp,http -5                   → lost, 1
  `);
  await sameLater(play, table);
});

timed.test("withinLimit() gives up after 3 s, and aborts what is measured then", async (time) => {
  let reason: unknown;
  const hangs = withinLimit(signal, (limit) => {
    limit.addEventListener("abort", () => reason = limit.reason);
    return new Promise(() => {});
  });
  time.tick(2999);
  assertEquals([reason, time.timers], [undefined, 1]);
  time.tick(1);
  await assertRejects(() => hangs, Error, "No answer within 3000 ms");
  assertEquals([time.timers, reason instanceof DOMException && reason.name], [0, "TimeoutError"]);
});
