import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { runTrafficSet, runTrafficShow } from "../../lib/cli/traffic.ts";
import { UsageError } from "../../lib/config/usage_error.ts";
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
  try {
    await assertRejects(() => set(["--up", "1GB"]), UsageError, "--month-rotate DAY");
    assertMatch(await set(["--up", "1GB", "--month-rotate", "15"]), /next reset \d+-\d\d-15$/m);
    assertMatch(await set(["--up", "2GB"]), /next reset \d+-\d\d-15$/m);
    assertMatch(await set(["--up", "3GB", "--month-rotate", "20"]), /next reset \d+-\d\d-20$/m);
    const context = new FakeContext();
    assertEquals(await runTrafficShow(configIn(["show"]), context), 0);
    assertMatch(context.printed, /next reset \d+-\d\d-20$/m);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});
