import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { runTrafficSet, runTrafficShow } from "../../lib/cli/traffic.ts";
import { UsageError } from "../../lib/config/usage_error.ts";
import { FakeTime } from "../fake_time.ts";
import { configOf, FakeContext } from "./fake_context.ts";

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
