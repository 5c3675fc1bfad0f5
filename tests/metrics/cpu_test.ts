import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { CpuCollector } from "../../lib/metrics/cpu.ts";
import { FakeTime } from "../fake_time.ts";
import { fakeSource, fakeSourceSequence } from "./fake_host.ts";
import { ratedCpu } from "./rated.ts";

/** Lets a Cpu look at one line after the other and gives what it saw. */
function percents(...lines: string[]): (number | undefined)[] {
  const look = ratedCpu(new CpuCollector(fakeSourceSequence(...lines)));
  return lines.map(look);
}

Deno.test("CpuCollector.collect() returns the mean since boot at first, then since the previous call", () => {
  assertEquals(percents("cpu  30 0 0 70 0 0 0 0 0 0", "cpu  40 0 0 160 0 0 0 0 0 0"), [30, 10]);
});

Deno.test("CpuCollector.collect() counts iowait as idle, and nice, irq, softirq and steal as busy", () => {
  const idle = "cpu  0 0 0 100 0 0 0 0 0 0";
  assertEquals(percents(idle, "cpu  0 0 0 140 40 0 0 20 0 0")[1], 20);
  assertEquals(percents(idle, "cpu  1 2 3 100 80 4 5 5 0 0")[1], 20);
});

Deno.test("CpuCollector.collect() does not count guest time twice", () => {
  assertEquals(percents("cpu  50 0 0 50 0 0 0 0 50 0"), [50]);
});

Deno.test("CpuCollector.collect() keeps the last value when no time has passed", () => {
  const line = "cpu  30 0 0 70 0 0 0 0 0 0";
  assertEquals(percents(line, line, line), [30, 30, 30]);
});

Deno.test("CpuCollector.collect() throws when no time ever passed", () => {
  const look = ratedCpu(new CpuCollector(fakeSource(() => "cpu  0 0 0 0 0 0 0 0 0 0")));
  assertThrows(look, Error, "Cannot use stat: CPU times stand still");
});

Deno.test("CpuCollector.collect() throws when the times have stood still for two seconds, and recovers", () => {
  using time = new FakeTime();
  let line = "cpu  30 0 0 70 0 0 0 0 0 0";
  const look = ratedCpu(new CpuCollector(fakeSource(() => line)));
  assertEquals(look(), 30);
  time.tick(1_999);
  assertEquals(look(), 30);
  time.tick(1);
  assertThrows(look, Error, "Cannot use stat: CPU times stand still");
  line = "cpu  31 0 0 71 0 0 0 0 0 0";
  assertEquals(look(), 50);
});

Deno.test("CpuCollector.collect() does not subtract a falling counter from the others", () => {
  const [, idleFell] = percents("cpu  10 0 0 900 50 0 0 0 0 0", "cpu  20 0 0 910 10 0 0 0 0 0");
  assertEquals(idleFell, 50);
  const [, stealFell] = percents("cpu  10 0 0 900 0 0 0 90 0 0", "cpu  20 0 0 930 0 0 0 5 0 0");
  assertEquals(stealFell, 25);
});

Deno.test("CpuCollector.collect() does not count a core's time again that returns with what it had", () => {
  const [, , returned] = percents(
    "cpu  100 0 0 100 0 0 0 0 0 0",
    "cpu  60 0 0 110 0 0 0 0 0 0",
    "cpu  100 0 0 120 0 0 0 0 0 0",
  );
  assertEquals(returned, 0);
});

Deno.test("CpuCollector.collect() starts over when a core's counters disappear", () => {
  const [, fell, next] = percents(
    "cpu  1000 0 0 9000 0 0 0 0 0 0",
    "cpu  500 0 0 4500 0 0 0 0 0 0",
    "cpu  600 0 0 4800 0 0 0 0 0 0",
  );
  assertEquals([fell, next], [10, 25]);
});

Deno.test("CpuCollector.collect() keeps the last value when a core goes offline, and counts when it returns", () => {
  assertEquals(
    percents(
      "cpu  1000 0 0 9000 0 0 0 0 0 0",
      "cpu  1030 0 0 9070 0 0 0 0 0 0",
      // Its idle time goes with it,
      "cpu  1050 0 0 4600 0 0 0 0 0 0",
      "cpu  1070 0 0 4680 0 0 0 0 0 0",
      // and comes back.
      "cpu  1090 0 0 9150 0 0 0 0 0 0",
      "cpu  1130 0 0 9210 0 0 0 0 0 0",
    ),
    [10, 30, 30, 20, 20, 40],
  );
});

Deno.test("CpuCollector.collect() returns 100 when the idle time of busy cores falls by a tick", () => {
  const [, percent] = percents("cpu  1000 0 0 9000 0 0 0 0", "cpu  1800 0 0 8999 0 0 0 0");
  assertEquals(percent, 100);
});

Deno.test("CpuCollector.collect() keeps the last value while idle time is out of range, and covers the whole interval afterwards", () => {
  const below = "18446744073709551000";
  assertEquals(
    percents(
      "cpu  1000 0 0 9000 0 0 0 0",
      `cpu  1010 0 0 ${below} 0 0 0 0`,
      "cpu  1020 0 0 9060 20 0 0 0",
    ),
    [10, 10, 20],
  );
});

Deno.test("CpuCollector.collect() uses the others when another counter is out of range", () => {
  const below = "18446744073709551000";
  const lines = [1, 2, 3].map((at) => `cpu  ${at * 10} 0 0 ${at * 90} ${below} 0 0 ${below}`);
  assertEquals(percents(...lines), [10, 10, 10]);
});

Deno.test("CpuCollector.missingPart() names times that are out of range or fell, until they are right again", () => {
  const lines: [line: string, problem: string | undefined][] = [
    ["cpu  1000 0 0 9000 0 0 0 0", undefined],
    [`cpu  1010 0 0 9090 0 0 0 ${2n ** 60n}`, "the steal time of the CPU is out of range"],
    [`cpu  1010 0 0 ${2n ** 60n} 0 0 0 0`, "the idle time of the CPU is out of range"],
    ["cpu  1020 0 0 9180 0 0 0 0", undefined],
    ["cpu  1020 0 0 9180 0 0 0 0", undefined],
    ["cpu  500 0 0 4000 0 0 0 0", "CPU times fell"],
    ["cpu  510 0 0 4090 0 0 0 0", undefined],
  ];
  const cpu = new CpuCollector(fakeSourceSequence(...lines.map(([line]) => line)));
  for (const [line, problem] of lines) {
    cpu.collect();
    const message = cpu.missingPart()?.message;
    assertEquals(message, problem && `Cannot use stat: ${problem}`, line);
  }
});

Deno.test("CpuCollector.collect() throws when the file is malformed, and recovers", () => {
  const look = ratedCpu(
    new CpuCollector(fakeSourceSequence("cpu  30 0 0 70", "cpu  ?", "cpu  40 0 0 160")),
  );
  look();
  assertThrows(look, SyntaxError, '"cpu  ?"');
  assertEquals(look(), 10);
});

Deno.test("CpuCollector.collect() does not round to above 100", () => {
  assertEquals(percents("cpu  6898735948855979 0 0 0 0"), [100]);
});

Deno.test("CpuCollector.collect() stays between 0 and 100 for any counters", () => {
  const line = fc.array(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), {
    minLength: 4,
    maxLength: 10,
  }).map((columns) => `cpu  ${columns.join(" ")}`);
  fc.assert(fc.property(fc.array(line, { minLength: 1 }), (lines) => {
    const all = percents("cpu  1 1 1 1", ...lines).slice(1);
    assertEquals(all.length, lines.length);
    for (const percent of all) {
      assert(percent === undefined || (percent >= 0 && percent <= 100), `got ${percent}`);
    }
  }));
});
