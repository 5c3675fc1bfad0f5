import { assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { runTrafficSet, runTrafficShow } from "../../lib/cli/traffic.ts";
import { FolderLock } from "../../lib/state/state_lock.ts";
import { TrafficRequestFile } from "../../lib/state/traffic_request.ts";
import { UsageError } from "../../lib/config/usage_error.ts";
import { configOf, FakeContext } from "./fake_context.ts";
import { FakeTime, realTurn } from "../fake_time.ts";

Deno.test("runTrafficSet() resets on the given day, or else on the day of the month's state", async () => {
  const folder = Deno.makeTempDirSync();
  const configIn = (words: readonly string[]) =>
    configOf(["traffic", ...words, "--state-dir", folder]);
  const set = async (words: readonly string[]): Promise<string> => {
    const context = new FakeContext();
    assertEquals(await runTrafficSet(configIn(["set", ...words]), context), 0);
    return context.printed;
  };
  using _ = new FakeTime({ now: new Date("2026-11-17T12:00:00") });
  const until = (printed: string, since: string, next: string) =>
    assertStringIncludes(printed, `Since       ${since}, next reset ${next}\n`);
  try {
    await assertRejects(() => set(["--up", "1GB"]), UsageError, "--month-rotate DAY");
    until(await set(["--up", "1GB", "--month-rotate", "15"]), "2026-11-15", "2026-12-15");
    until(await set(["--up", "2GB"]), "2026-11-15", "2026-12-15");
    until(await set(["--up", "3GB", "--month-rotate", "20"]), "2026-10-20", "2026-11-20");
    const context = new FakeContext();
    assertEquals(await runTrafficShow(configIn(["show"]), context), 0);
    until(context.printed, "2026-10-20", "2026-11-20");
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("runTrafficSet() asks the running agent, and withdraws what that does not take over", async () => {
  const folder = Deno.makeTempDirSync();
  const config = configOf(["traffic", "set", "--up", "2GB", "--state-dir", folder]);
  try {
    await runTrafficSet(
      configOf(["traffic", "set", "--up", "1GB", "--month-rotate", "1", "--state-dir", folder]),
      new FakeContext(),
    );
    const lock = FolderLock.open(folder);
    using _lock = lock;
    assertEquals(lock.tryLock(), true);
    await assertRejects(() => runTrafficSet(config, new FakeContext()), Error, "stop it first");
    const agent = TrafficRequestFile.create(folder);
    using _agent = agent;
    using time = new FakeTime({ now: Date.now() });
    for (const problem of ["", "the disk is full", undefined]) {
      const context = new FakeContext();
      let ended: Error | "done" | undefined;
      runTrafficSet(config, context).then(() => ended = "done", (error) => ended = error);
      while (ended === undefined) {
        await realTurn();
        const request = agent.request();
        if (request !== undefined) assertEquals(request.total, { sentBytes: 2_000_000_000 });
        if (request !== undefined && problem !== undefined) {
          agent.answer({ id: request.id, problem });
        }
        if (time.timers > 0) await time.run(200);
      }
      if (problem === "") assertMatch(context.printed, /^The running agent has taken over/);
      else {
        const why = problem === undefined
          ? /did not take it over within 15 s/
          : /can't keep them: /;
        assertMatch(String(ended), why);
      }
      assertEquals(agent.request(), undefined, "it is withdrawn");
    }
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});
