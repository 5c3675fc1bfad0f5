import { assertEquals } from "@std/assert";
import { launchdPlist } from "../../lib/service/launchd.ts";
import { parseLaunchdCommand } from "../../lib/service/official_commands.ts";
import { ESCAPED_PLAN, golden, SYSTEM_PLAN, USER_PLAN } from "./service_plans.ts";

Deno.test("launchdPlist() names the user of a daemon, but not of a user's agent", () => {
  assertEquals(launchdPlist(SYSTEM_PLAN), golden("usual.plist"));
  assertEquals(launchdPlist(USER_PLAN), golden("user.plist"));
});

Deno.test("launchdPlist() sources the proxies and escapes XML", () => {
  const plist = launchdPlist(ESCAPED_PLAN);
  assertEquals(plist, golden("odd.plist"));
  const words = parseLaunchdCommand(plist)?.words ?? [];
  assertEquals(words.slice(-3), [ESCAPED_PLAN.program, "--config", ESCAPED_PLAN.config]);
});

Deno.test("launchdPlist() starts the program through a valid shell command", () => {
  const [shell = "", ...args] = parseLaunchdCommand(launchdPlist(ESCAPED_PLAN))?.words ?? [];
  const { stdout } = new Deno.Command(shell, {
    args: [...args.slice(0, 2), "/dev/null", "printf", "%s\n", ...args.slice(-2)],
  }).outputSync();
  assertEquals(new TextDecoder().decode(stdout), `--config\n${ESCAPED_PLAN.config}\n`);
});
