import { assertEquals, assertMatch } from "@std/assert";
import { same } from "../tests/cases.ts";
import {
  compare,
  type Comparison,
  formatTable,
  judge,
  mean,
  median,
  noiseOf,
  noiseWithin,
  summarize,
} from "./comparison.ts";

const comparison = (changes: Partial<Comparison> = {}): Comparison => ({
  ...{ what: "CPU per report", unit: "µs", noise: 1.02, aim: 1.3 },
  ...{ ours: [1200, 1300, 5000], theirs: [1000, 1000, 1000] },
  ...changes,
});

Deno.test("median() is the middle, and noise at least 1, whichever of two costs more", async () => {
  await same(median, [[[3, 100, 1], 3], [[100, 1, 3, 4], 3.5], [[7], 7], [[], NaN]]);
  assertEquals([noiseOf([2, 2, 9], [4, 4, 1]), noiseOf([4, 4, 1], [2, 2, 9])], [2, 2]);
  await same(noiseWithin, [[[10, 15, 10, 15, 10, 15], 1.5], [[10, 10, 15, 15], 1]]);
});

Deno.test("judge() compares a ratio or a difference with the aim, and refuses beside much noise", async () => {
  assertEquals([compare(comparison(), median), compare(comparison(), mean)], [1.3, 2.5]);
  assertEquals(compare(comparison({ isDifference: true }), median), 300);
  await same((changes: Partial<Comparison>) => judge(comparison(changes)), [
    [{}, "within"],
    [{ aim: 1.29 }, "over"],
    [{ judgedBy: "mean" }, "over"],
    [{ isDifference: true, aim: 299 }, "over"],
    [{ noise: 1.1 }, "within"],
    [{ noise: 1.11, aim: 0.1 }, "not judged"],
    [{ noise: NaN }, "not judged"],
  ]);
});

Deno.test("formatTable() aligns its columns, and summarize() names what is over or not judged", () => {
  const noisy = { unit: "MB", ours: [2.25], theirs: [1], noise: 1.14, aim: 2 };
  const rows = [comparison(), comparison({ what: "memory", ...noisy })];
  const [head = "", first = "", second = ""] = formatTable(rows).split("\n");
  assertEquals(head.indexOf("verdict"), first.indexOf("within"));
  assertMatch(
    first,
    /^CPU per report +1300 µs +1000 µs +1\.30 +1\.20 +2\.50 +1\.02 +1\.3 +within$/,
  );
  assertMatch(second, /^memory +2\.3 MB +1\.0 MB +2\.25 .*not judged: .* too noisy \(1\.14\)$/);
  assertEquals(
    summarize([...rows, comparison({ what: "start", aim: 1 })]),
    "1 of 3 within their aims; over: start; not judged, because this machine is too noisy: memory",
  );
});
