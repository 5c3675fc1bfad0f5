import { assertEquals } from "@std/assert";
import { setUpLog } from "../../lib/log/log.ts";
import { Sampler, takeSnapshot, UnmeasuredPart } from "../../lib/metrics/snapshot.ts";
import { timed } from "../fake_time.ts";
import { breakRow, fakeRow, fakeTable } from "./fake_collectors.ts";

/** Snapshots whose uptime tells how often it was measured, by the age up to which its row is kept. */
function counting({ maxAgeMs = 0, rowMaxAgeMs }: { maxAgeMs?: number; rowMaxAgeMs?: number } = {}) {
  const state = { asked: 0, value: (asked: number): number | undefined => asked };
  const rows = fakeRow("uptime", {}, {
    ...(rowMaxAgeMs !== undefined && { maxAgeMs: rowMaxAgeMs }),
    collect: () => ({ uptimeSeconds: state.value(++state.asked) }),
    missingPart: () => state.asked === 2 ? new Error("part") : undefined,
  });
  const sampler = new Sampler([rows], maxAgeMs);
  return { state, sampler, take: () => sampler.take().uptimeSeconds };
}

Deno.test("takeSnapshot() names a missing part beside the value, bounded and on one line", () => {
  const seen: string[] = [];
  const part = `/srv/a\n${"b".repeat(100)}`;
  const rows = [
    fakeRow("load", { uptimeSeconds: 1 }, { missingPart: () => new Error("Cannot read a part") }),
    fakeRow("disk space", {}, {
      missingPart: () => new UnmeasuredPart(part, new Error("Cannot statfs")),
    }),
  ];
  const { uptimeSeconds, failures } = takeSnapshot(rows, ({ subject, error }) => {
    seen.push(`${subject}: ${error instanceof Error ? error.message : ""}`);
  });
  assertEquals([uptimeSeconds, failures], [1, [
    "cannot measure part of load",
    `cannot measure part of disk space "/srv/a\\n${"b".repeat(32)}…"`,
  ]]);
  assertEquals(seen, ["part of load: Cannot read a part", "part of disk space: Cannot statfs"]);
});

Deno.test("takeSnapshot() combines graphics cards", () => {
  const { gpus } = takeSnapshot([
    fakeRow("graphics card A", { gpus: [{ name: "A" }] }),
    fakeRow("graphics card C", { gpus: undefined }),
    fakeRow("the rest", { gpus: [{ name: "D" }, { name: "E" }] }),
  ]);
  assertEquals(gpus?.map(({ name }) => name), ["A", "D", "E"]);
});

timed.test("Sampler.sample() keeps every value for a minute, and none for longer or over one without data", (time) => {
  const rows = fakeTable();
  const sampler = new Sampler(Object.values(rows));
  const { failures: _, ...values } = sampler.sample();
  for (const row of Object.values(rows)) breakRow(row);
  time.tick(60_000);
  const { failures, ...kept } = sampler.sample();
  assertEquals([kept, failures.length], [values, Object.keys(rows).length]);
  time.tick(1);
  const { failures: still, ...left } = sampler.sample();
  assertEquals([JSON.stringify(left), still], ["{}", failures]);
  rows.uptime.collect = () => ({ uptimeSeconds: undefined });
  assertEquals(sampler.sample().failures.length, failures.length - 1);
  breakRow(rows.uptime);
  assertEquals(sampler.sample().uptimeSeconds, undefined);
});

timed.test("Sampler.sample() gives a row's values again until they are too old, and asks for what is not known", (time) => {
  const { sampler, state } = counting({ rowMaxAgeMs: 1_000 });
  const at = (nowMs: number) => {
    time.tick(nowMs - performance.now());
    const { uptimeSeconds, failures } = sampler.sample();
    return failures.length === 0 ? uptimeSeconds : [uptimeSeconds, ...failures];
  };
  const part = [2, "cannot measure part of uptime"];
  assertEquals([0, 500, 999, 1_000, 1_999, 2_000, 2_999].map(at), [1, 1, 1, part, part, 3, 3]);
  state.value = () => {
    throw new Error("no");
  };
  const failure = [3, "cannot measure uptime"];
  assertEquals([3_000, 3_100].map(at), [failure, failure]);
  state.value = () => undefined;
  assertEquals([3_200, 3_300].map(at), [undefined, undefined]);
  state.value = (asked) => asked;
  assertEquals([3_400, 3_500].map(at), [8, 8]);
});

timed.test("Sampler.sample() logs a failure once, when its reason changes, and its end once, and tells an observer", (time) => {
  const lines: string[] = [];
  const write = (line: string) => lines.push(line);
  setUpLog({ level: "info", format: "text", secrets: [], forJournal: true, write });
  const { load, uptime } = fakeTable();
  const told: Record<string, string>[] = [];
  const sampler = new Sampler([load, uptime], 0, {
    onFailures: (failing) => void told.push(Object.fromEntries(failing)),
  });
  const sampleTwice = () => [sampler.sample(), sampler.sample()];
  sampleTwice();
  assertEquals(told, []);
  breakRow(load);
  time.tick(5_000);
  sampleTwice();
  load.collect = () => {
    throw new Error("No such device");
  };
  sampleTwice();
  load.collect = () => ({ load: undefined });
  sampleTwice();
  const [first, second] = ['Cannot parse loadavg: "x"', "No such device"];
  assertEquals(told, [...[first, first, second, second].map((load) => ({ load })), {}]);
  assertEquals(lines, [
    `<4>agent: Cannot measure load: ${first}`,
    `<4>agent: Cannot measure load: ${second}`,
    "<6>agent: Measuring load works again",
  ]);
});

timed.test("Sampler.take() gives the first snapshot once if it is fresh, and a young one to several panels", (time) => {
  const { sampler, take } = counting();
  const latest = () => [sampler.latest?.snapshot.uptimeSeconds, sampler.latest?.takenAtMs];
  assertEquals(latest(), [undefined, undefined]);
  sampler.sample();
  time.tick(999);
  assertEquals([take(), take(), take()], [1, 2, 3]);
  assertEquals(latest(), [3, 999]);
  const late = counting();
  late.sampler.sample();
  time.tick(1_000);
  assertEquals(late.take(), 2);
  const shared = counting({ maxAgeMs: 2_000 });
  shared.sampler.sample();
  time.tick(1_999);
  assertEquals([shared.take(), shared.take()], [1, 1]);
  time.tick(1);
  assertEquals([shared.take(), shared.take()], [2, 2]);
});
