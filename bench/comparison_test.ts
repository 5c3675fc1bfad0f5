import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
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
  what: "CPU per report",
  unit: "µs",
  ours: [1200, 1300, 5000],
  theirs: [1000, 1000, 1000],
  noise: 1.02,
  aim: 1.3,
  ...changes,
});

Deno.test("median() is the middle, or the mean of the two in the middle", () => {
  assertEquals(median([3, 100, 1]), 3);
  assertEquals(median([100, 1, 3, 4]), 3.5);
  assertEquals(median([7]), 7);
  assertEquals(median([]), NaN);
});

Deno.test("noiseOf() is at least 1, whichever of the two costs more", () => {
  assertEquals(noiseOf([2, 2, 9], [4, 4, 1]), 2);
  assertEquals(noiseOf([4, 4, 1], [2, 2, 9]), 2);
  assertEquals(noiseOf([5], [5]), 1);
});

Deno.test("noiseWithin() compares every second value with the others", () => {
  assertEquals(noiseWithin([10, 15, 10, 15, 10, 15]), 1.5);
  assertEquals(noiseWithin([10, 10, 15, 15]), 1);
});

Deno.test("compare() gives the ratio of both sides, or their difference", () => {
  assertEquals(compare(comparison(), median), 1.3);
  assertEquals(compare(comparison(), mean), 2.5);
  assertEquals(compare(comparison(), (values) => Math.min(...values)), 1.2);
  assertEquals(compare(comparison({ isDifference: true }), median), 300);
});

Deno.test("judge() compares the median or the mean with the aim", () => {
  assertEquals(judge(comparison()), "within");
  assertEquals(judge(comparison({ aim: 1.29 })), "over");
  assertEquals(judge(comparison({ judgedBy: "mean" })), "over");
  assertEquals(judge(comparison({ isDifference: true, aim: 299 })), "over");
});

Deno.test("judge() refuses when the noise is over 1.1 or unknown, whatever the ratio", () => {
  assertEquals(judge(comparison({ noise: 1.1 })), "within");
  assertEquals(judge(comparison({ noise: 1.11 })), "not judged");
  assertEquals(judge(comparison({ noise: 1.11, aim: 0.1 })), "not judged");
  assertEquals(judge(comparison({ noise: NaN })), "not judged");
});

Deno.test("formatTable() aligns its columns and gives the figures of what is not judged", () => {
  const table = formatTable([
    comparison(),
    comparison({ what: "memory", unit: "MB", ours: [2.25], theirs: [1], noise: 1.14, aim: 2 }),
  ]);
  const [head = "", first = "", second = ""] = table.split("\n");
  assertEquals(head.indexOf("verdict"), first.indexOf("within"));
  assertMatch(
    first,
    /^CPU per report +1300 µs +1000 µs +1\.30 +1\.20 +2\.50 +1\.02 +1\.3 +within$/,
  );
  assertMatch(
    second,
    /^memory +2\.3 MB +1\.0 MB +2\.25 .*not judged: this machine is too noisy \(1\.14\)$/,
  );
});

Deno.test("summarize() names what is over its aim and what is not judged", () => {
  assertEquals(summarize([comparison()]), "1 of 1 within their aims");
  const line = summarize([
    comparison(),
    comparison({ what: "start", aim: 1 }),
    comparison({ what: "memory", noise: 1.2 }),
  ]);
  assertStringIncludes(line, "1 of 3 within their aims; over: start; ");
  assertStringIncludes(line, "not judged, because this machine is too noisy: memory");
});
