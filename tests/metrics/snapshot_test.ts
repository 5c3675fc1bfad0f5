import { assertEquals, assertNotEquals } from "@std/assert";
import { setUpLog } from "../../lib/log/log.ts";
import { UnmeasuredPart } from "../../lib/metrics/collector.ts";
import { Sampler, takeSnapshot } from "../../lib/metrics/snapshot.ts";
import { timed } from "../fake_time.ts";
import { breakRow, fakeRow, fakeTable } from "./fake_collectors.ts";

const LOAD = { oneMinute: 1, fiveMinutes: 2, fifteenMinutes: 3 };

Deno.test("takeSnapshot() leaves out values without data, which is not a failure", () => {
  const snapshot = takeSnapshot([fakeRow("load", { load: undefined }), fakeRow("memory", {})]);
  assertEquals([snapshot.load, snapshot.memory, snapshot.swap], [undefined, undefined, undefined]);
  assertEquals(snapshot.failures, []);
});

Deno.test("takeSnapshot() uses the last known value of a failed collector, and names it in failures", () => {
  const load = fakeRow("load", {}, { lastKnown: () => ({ load: { ...LOAD, oneMinute: 3 } }) });
  breakRow(load);
  const snapshot = takeSnapshot([load]);
  assertEquals(snapshot.load?.oneMinute, 3);
  assertEquals(snapshot.failures, ["cannot measure load"]);
});

Deno.test("takeSnapshot() combines the cards of all GPU collectors", () => {
  const second = fakeRow("graphics card B", {});
  breakRow(second);
  const snapshot = takeSnapshot([
    fakeRow("graphics card A", { gpus: [{ name: "A", usePercent: 5 }] }),
    second,
    fakeRow("graphics card C", { gpus: undefined }),
    fakeRow("the rest", { gpus: [{ name: "D" }, { name: "E" }] }),
  ]);
  assertEquals(snapshot.gpus?.map(({ name }) => name), ["A", "D", "E"]);
  assertEquals(snapshot.failures, ["cannot measure graphics card B"]);
});

/** A machine whose collectors can be exchanged. */
function machine() {
  const rows = fakeTable();
  return { rows, sampler: new Sampler(Object.values(rows)) };
}

timed.test("Sampler.sample() logs a failure once, when its reason changes, and its end once", (time) => {
  const lines: string[] = [];
  setUpLog({
    level: "info",
    format: "text",
    secrets: [],
    forJournal: true,
    write: (line) => lines.push(line),
  });
  const { rows: { load }, sampler } = machine();
  sampler.sample();
  breakRow(load);
  time.tick(5_000);
  sampler.sample();
  assertEquals(sampler.sample().failures, ["cannot measure load"]);
  load.collect = () => {
    throw new Error("No such device");
  };
  sampler.sample();
  sampler.sample();
  load.collect = () => ({ load: undefined });
  sampler.sample();
  sampler.sample();
  assertEquals(lines, [
    '<4>agent: Cannot measure load: Cannot parse loadavg: "x"',
    "<4>agent: Cannot measure load: No such device",
    "<6>agent: Measuring load works again",
  ]);
});

Deno.test("Sampler.sample() tells an observer what fails, and at last that nothing does", () => {
  const { load, uptime } = fakeTable();
  const told: Record<string, string>[] = [];
  const sampler = new Sampler([load, uptime], 0, {
    onFailures: (failing) => void told.push(Object.fromEntries(failing)),
  });
  sampler.sample();
  assertEquals(told, []);
  const { collect } = load;
  breakRow(load);
  sampler.sample();
  load.collect = collect;
  sampler.sample();
  sampler.sample();
  assertEquals(told, [{ load: 'Cannot parse loadavg: "x"' }, {}]);
});

timed.test("Sampler.sample() keeps every value for a minute, and none for longer", (time) => {
  const { rows, sampler } = machine();
  const { failures: _, ...values } = sampler.sample();
  for (const row of Object.values(rows)) breakRow(row);
  time.tick(60_000);
  const { failures, ...kept } = sampler.sample();
  assertEquals(kept, values);
  assertEquals(failures.length, Object.keys(rows).length);
  time.tick(1);
  const { failures: still, ...left } = sampler.sample();
  assertEquals(JSON.stringify(left), "{}");
  assertEquals(still, failures);
});

timed.test("Sampler.sample() keeps the values of a failing card for a minute", (time) => {
  const first = fakeRow("graphics card A", { gpus: [{ name: "A", usePercent: 1 }] });
  const second = fakeRow("graphics card B", { gpus: [{ name: "B", usePercent: 2 }] });
  const sampler = new Sampler([first, second]);
  const names = () => sampler.sample().gpus?.map(({ name }) => name);
  assertEquals(names(), ["A", "B"]);
  breakRow(first);
  time.tick(60_000);
  assertEquals(names(), ["A", "B"]);
  time.tick(1);
  assertEquals(names(), ["B"]);
  assertEquals(sampler.sample().failures, ["cannot measure graphics card A"]);
});

Deno.test("takeSnapshot() names a missing part beside the value", () => {
  const load = fakeRow("load", { load: LOAD }, {
    missingPart: () => new Error("Cannot read a part"),
  });
  const seen: string[] = [];
  const onFailure = ({ subject, error }: { subject: string; error: unknown }) => {
    seen.push(`${subject}: ${error instanceof Error ? error.message : ""}`);
  };
  const snapshot = takeSnapshot([load], onFailure);
  assertEquals(snapshot.load?.oneMinute, 1);
  assertEquals(snapshot.failures, ["cannot measure part of load"]);
  assertEquals(seen, ["part of load: Cannot read a part"]);
  assertEquals(new Sampler([load]).sample().failures, ["cannot measure part of load"]);
});

Deno.test("takeSnapshot() names an unmeasured part in the message, bounded and on one line", () => {
  const part = `/srv/a\n${"b".repeat(100)}`;
  const disk = {
    subject: "disk space",
    collect: () => ({}),
    missingPart: () => new UnmeasuredPart(part, new Error("Cannot statfs")),
    sources: () => ({}),
  };
  const [failure = ""] = takeSnapshot([disk]).failures;
  assertEquals(failure, `cannot measure part of disk space "/srv/a\\n${"b".repeat(32)}…"`);
});

/** Snapshots that tell which they are by their uptime; the first is taken at the start. */
function setUp(maxAgeMs: number) {
  let count = 0;
  const row = fakeRow("uptime", {}, { collect: () => ({ uptimeSeconds: count++ }) });
  const sampler = new Sampler([row], maxAgeMs);
  sampler.sample();
  return { sampler, take: () => sampler.take().uptimeSeconds };
}

timed.test("Sampler.take() gives the first snapshot once if it is fresh", (time) => {
  const { take } = setUp(0);
  time.tick(999);
  assertEquals([take(), take(), take()], [0, 1, 2]);
});

timed.test("Sampler.take() takes the first snapshot again when the panel was late, or it is older than any may be", (time) => {
  const first = setUp(0);
  time.tick(1_000);
  assertEquals(first.take(), 1);
  const { take } = setUp(2_000);
  time.tick(1_999);
  assertEquals(take(), 0);
  time.tick(1);
  assertEquals(take(), 1);
});

timed.test("Sampler.take() gives several panels one snapshot while it is young", (time) => {
  const { take } = setUp(500);
  assertEquals([take(), take(), take()], [0, 0, 0]);
  time.tick(499);
  assertEquals(take(), 0);
  time.tick(1);
  assertEquals([take(), take()], [1, 1]);
  time.tick(500);
  assertNotEquals(take(), 1);
});

timed.test("Sampler.latest is the last snapshot and its time", (time) => {
  assertEquals(new Sampler([]).latest, undefined);
  const { sampler, take } = setUp(500);
  time.tick(400);
  take();
  const latest = () => [sampler.latest?.snapshot.uptimeSeconds, sampler.latest?.takenAtMs];
  assertEquals(latest(), [0, 0]);
  time.tick(100);
  take();
  assertEquals(latest(), [1, 500]);
});
