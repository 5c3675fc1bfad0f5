import { assertEquals, assertRejects } from "@std/assert";
import { readHealth } from "../../lib/state/health_reader.ts";
import { waitForReports } from "../../lib/service/install_trial.ts";
import { FakeTime } from "../fake_time.ts";
import { ABOUT, openHealth } from "../state/health_folder.ts";
import { inFolder } from "../temp_folder.ts";

const { signal } = new AbortController();
const panels = ["p.example"];
inFolder.test("waitForReports() returns true at the first accepted report", async (folder) => {
  using time = new FakeTime({ now: Date.now() });
  const sinceMs = Date.now() - 1000;
  const waiting = waitForReports({ folder: folder.path, sinceMs, panels }, signal);
  using health = openHealth(folder.path);
  await time.run(29_000);
  health.accepted(3000);
  await time.run(250);
  assertEquals((await waiting)[0]?.isAccepted, true);
  const later = waitForReports(
    { folder: folder.path, sinceMs: Date.now() + 60_000, panels },
    signal,
  );
  await time.run(30_000);
  assertEquals((await later)[0]?.isAccepted, false);
});

inFolder.test("waitForReports() ignores the health file of a dead agent", async (folder) => {
  using time = new FakeTime();
  await Deno.writeTextFile(
    `${folder.path}/health`,
    JSON.stringify({ pid: 1, ...ABOUT, intervalMs: 1000 }),
  );
  const waiting = waitForReports({ folder: folder.path, sinceMs: 0, panels }, signal);
  await time.run(30_000);
  assertEquals((await waiting)[0]?.isAccepted, false);
});

Deno.test("waitForReports() stops when aborted", async () => {
  using _time = new FakeTime();
  const user = new AbortController();
  const waiting = waitForReports({ folder: "/nowhere", sinceMs: 0, panels }, user.signal);
  user.abort();
  await assertRejects(() => waiting, DOMException);
});

inFolder.test("waitForReports() looks for each panel by its name", async (folder) => {
  using time = new FakeTime({ now: 1_000_000 });
  using health = openHealth(folder.path);
  const state = { sinceMs: 0, failures: 0, probes: 0 };
  const error = { text: "connection refused", atMs: 0 };
  health.setPanels([
    { ...state, panel: "p.example", acceptedAtMs: Date.now() },
    { ...state, panel: "p.example (2)", error },
    { ...state, panel: "q.example", acceptedAtMs: Date.now() - 1 },
  ], { now: true });
  const results = async (...panels: string[]) => {
    const waiting = waitForReports({ folder: folder.path, sinceMs: 1_000_000, panels }, signal);
    await time.run(30_000);
    return (await waiting).map(({ isAccepted, error }) => `${isAccepted} ${error}`);
  };
  const refused = "false connection refused";
  assertEquals(await results("p.example", "p.example (2)"), ["true undefined", refused]);
  assertEquals(await results("q.example", "p.example (2)"), ["false undefined", refused]);
  assertEquals(await results("q.example"), ["false undefined"], "a report from before the start");
  assertEquals(await results("unknown.example"), ["false undefined"]);
});

inFolder.test("waitForReports() takes no report of the agent that ran before", async (folder) => {
  using time = new FakeTime({ now: 1_000_000 });
  using health = openHealth(folder.path);
  health.accepted(1000);
  const before = readHealth([folder.path]);
  if (before === undefined) throw new Error("Cannot play an agent");
  const table = [[{}, false], [{ startedAtMs: 7 }, true], [{ pid: 7 }, true]] as const;
  for (const [change, isAccepted] of table) {
    const changed = { ...before, ...change };
    const start = { folder: folder.path, sinceMs: 0, panels, before: changed };
    const waiting = waitForReports(start, signal);
    await time.run(30_000);
    assertEquals((await waiting)[0]?.isAccepted, isAccepted, JSON.stringify(change));
  }
});
