import { assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { runTrafficSet, runTrafficShow } from "../../lib/cli/traffic.ts";
import { StateFile } from "../../lib/state/state_file.ts";
import { FolderLock } from "../../lib/state/state_lock.ts";
import { TrafficRequestFile } from "../../lib/state/traffic_request.ts";
import { UsageError } from "../../lib/config/usage_error.ts";
import { configOf, FakeContext } from "./fake_context.ts";
import { openHealth } from "../state/health_folder.ts";
import { FakeTime, realTurn } from "../fake_time.ts";
import { inFolder } from "../temp_folder.ts";

/** The folder's lock, as an agent holds it that counts there. */
function locked(folder: string): FolderLock {
  const lock = FolderLock.open(folder);
  assertEquals(lock.tryLock(), true);
  return lock;
}

inFolder.test("runTrafficSet() resets on the given day, or else on the day of the month's state", async (folder) => {
  const configIn = (words: readonly string[]) =>
    configOf(["traffic", ...words, "--state-dir", folder.path]);
  const set = async (words: readonly string[]): Promise<string> => {
    const context = new FakeContext();
    assertEquals(await runTrafficSet(configIn(["set", ...words]), context), 0);
    return context.printed;
  };
  using _ = new FakeTime({ now: new Date("2026-11-17T12:00:00") });
  const until = (printed: string, since: string, next: string) =>
    assertStringIncludes(printed, `Since       ${since}, next reset ${next}\n`);
  await assertRejects(() => set(["--up", "1GB"]), UsageError, "--month-rotate DAY");
  until(await set(["--up", "1GB", "--month-rotate", "15"]), "2026-11-15", "2026-12-15");
  until(await set(["--up", "2GB"]), "2026-11-15", "2026-12-15");
  until(await set(["--up", "3GB", "--month-rotate", "20"]), "2026-10-20", "2026-11-20");
  const context = new FakeContext();
  assertEquals(await runTrafficShow(configIn(["show"]), context), 0);
  until(context.printed, "2026-10-20", "2026-11-20");
});

inFolder.test("runTrafficSet() asks the running agent for two intervals, and withdraws what that does not take over", async (folder) => {
  const configIn = (words: string) =>
    configOf(["traffic", ...words.split(" "), "--state-dir", folder.path], {
      RUNTIME_DIRECTORY: folder.path,
    });
  const config = configIn("set --up 2GB");
  await runTrafficSet(configIn("set --up 1GB --month-rotate 1"), new FakeContext());
  using health = openHealth(folder.path);
  health.accepted(10_000);
  using _lock = locked(folder.path);
  await assertRejects(() => runTrafficSet(config, new FakeContext()), Error, "stop it first");
  using agent = TrafficRequestFile.create(folder.path);
  using time = new FakeTime({ now: Date.now() });
  const table = [
    ["", /^The running agent uses these totals/],
    ["the disk is full", /can't keep them: the disk is full/],
    ["silence", /did not answer within 20 s/],
    ["Ctrl-C", /Error: Ctrl-C/],
  ] as const;
  for (const [outcome, expected] of table) {
    const stop = new AbortController();
    const context = Object.assign(new FakeContext(), { signal: stop.signal });
    let ended: string | undefined;
    runTrafficSet(config, context).then(
      () => ended = context.printed,
      (error) => ended = `${error}`,
    );
    while (ended === undefined) {
      await realTurn();
      const request = agent.request();
      if (request !== undefined) assertEquals(request.total, { sentBytes: 2_000_000_000 });
      if (request !== undefined && outcome === "Ctrl-C") stop.abort(new Error(outcome));
      else if (request !== undefined && outcome !== "silence") agent.answer(request.id, outcome);
      if (time.timers > 0) await time.run(200);
    }
    assertMatch(ended, expected);
    assertEquals(agent.request(), undefined, "it is withdrawn");
  }
});

inFolder.test("runTrafficShow() prints the totals for people and for programs", async (folder) => {
  using _ = new FakeTime({ now: new Date("2026-11-17T12:00:00") });
  const run = async (words: string): Promise<string> => {
    const context = new FakeContext();
    const config = configOf(["traffic", ...words.split(" "), "--state-dir", folder.path]);
    const command = words.startsWith("set") ? runTrafficSet : runTrafficShow;
    assertEquals(await command(config, context), 0);
    return context.printed;
  };
  await assertRejects(() => run("show"), Error, "an agent with --month-rotate makes it");
  await assertRejects(() => run("set"), UsageError, "--up BYTES, --down BYTES or both");
  const nics = "--include-nics none-of-these";
  const text = await run(`set --up 1GB --down 2GiB --month-rotate 15 ${nics}`);
  const [first, ...rows] = text.trimEnd().split("\n");
  assertEquals(first, "No agent is running; the next one starts with these totals.");
  assertEquals(rows.map((row) => row.slice(0, 12).trim()), [
    ...["Since", "Up", "Down", "Interfaces", "State"],
  ]);
  assertMatch(rows[1] ?? "", /^Up {10}953\.\d MiB \(1000000000 bytes\)$/);
  assertMatch(rows[2] ?? "", /^Down {8}2\.0 GiB \(2147483648 bytes\)$/);
  assertMatch(rows[4] ?? "", /^State {7}\/.*, no agent is running$/);
  const shown = JSON.parse(await run(`set --down 5 --json ${nics}`));
  assertEquals([shown.since, shown.next, shown.setBy], ["2026-11-15", "2026-12-15", "command"]);
  assertEquals([shown.up, shown.down], [1_000_000_000, 5], "what is not named stays");
  const { isRunning, setBy } = JSON.parse(await run("show --json"));
  assertEquals([isRunning, setBy], [false, undefined]);
  const { interfaces, state } = JSON.parse(await run("show --json"));
  assertEquals([interfaces, state.startsWith(`${folder.path}/`)], [[], true]);
  using _lock = locked(folder.path);
  assertEquals(JSON.parse(await run("show --json")).isRunning, true);
  const why = "the running agent resets it on day 15; `install --month-rotate 3` changes that";
  await assertRejects(() => run("set --up 1 --month-rotate 3"), UsageError, why);
});

inFolder.test("runTrafficSet() keeps the interfaces that the month has been counted by", async (folder) => {
  const interfacesAfter = async (words: string): Promise<string[]> => {
    const context = new FakeContext();
    const set = ["traffic", "set", "--json", "--state-dir", folder.path];
    const config = configOf([...set, ...words.split(" ")]);
    assertEquals(await runTrafficSet(config, context), 0);
    return JSON.parse(context.printed).interfaces;
  };
  assertEquals(await interfacesAfter("--up 1 --month-rotate 1 --include-nics lo"), ["lo"]);
  assertEquals(await interfacesAfter("--up 2"), ["lo"]);
  assertEquals(await interfacesAfter("--up 3 --include-nics none-of-these"), ["lo"]);
  // The kernel allows names that would be patterns, and some that would be wrong ones.
  const kept = new StateFile(folder.path, { name: "month", parse: String });
  await kept.open();
  await kept.write(kept.read().value?.replaceAll('"lo"', '"[?"') ?? "");
  kept[Symbol.dispose]();
  assertEquals(await interfacesAfter("--up 4"), ["[?"]);
});
