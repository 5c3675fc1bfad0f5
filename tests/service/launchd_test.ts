import { assertEquals } from "@std/assert";
import { launchdPlist, launchdUpdatePlist } from "../../lib/service/launchd.ts";
import { writeExecutable } from "../executable.ts";
import { ESCAPED_PLAN, golden, SYSTEM_PLAN, USER_PLAN } from "./service_plans.ts";
import { inFolder } from "../temp_folder.ts";

/** The command line in a property list. */
function argumentsOf(plist: string): string[] {
  const [, array = ""] = /ProgramArguments<\/key>([^]*?)<\/array>/.exec(plist) ?? [];
  return Array.from(
    array.matchAll(/<string>(.*?)<\/string>/gs),
    ([, word = ""]) =>
      word.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&"),
  );
}

Deno.test("the property lists of a daemon, of a user's agent and of updates are these", () => {
  assertEquals(launchdPlist(SYSTEM_PLAN), golden("usual.plist"));
  assertEquals(launchdPlist(USER_PLAN), golden("user.plist"));
  assertEquals(launchdUpdatePlist(SYSTEM_PLAN), golden("usual-update.plist"));
  assertEquals(launchdUpdatePlist(ESCAPED_PLAN), golden("odd-update.plist"));
});

Deno.test("launchdPlist() sources the proxies and escapes XML", () => {
  const plist = launchdPlist(ESCAPED_PLAN);
  assertEquals(plist, golden("odd.plist"));
  const words = argumentsOf(plist);
  assertEquals(words.slice(-3), [ESCAPED_PLAN.program, "--config", ESCAPED_PLAN.config]);
});

Deno.test("launchdPlist() starts the program through a valid shell command", () => {
  const [shell = "", ...args] = argumentsOf(launchdPlist(ESCAPED_PLAN));
  const { stdout } = new Deno.Command(shell, {
    args: [...args.slice(0, 2), "/dev/null", "printf", "%s\n", ...args.slice(-2)],
  }).outputSync();
  assertEquals(new TextDecoder().decode(stdout), `--config\n${ESCAPED_PLAN.config}\n`);
});

inFolder.test("launchdUpdatePlist() reads variables from root's file only", (folder) => {
  const environment = `${folder.path}/environment`;
  const program = `${folder.path}/program`;
  Deno.writeTextFileSync(environment, 'HTTPS_PROXY="http://proxy:3128"\n');
  writeExecutable(program, '#!/bin/sh\necho "$HTTPS_PROXY $*"\n');
  const cases = [[environment, "http://proxy:3128"], [`${environment}-of-none`, ""]] as const;
  for (const [path, proxy] of cases) {
    const plan = { ...SYSTEM_PLAN, program, environmentFile: path };
    const [shell = "", ...args] = argumentsOf(launchdUpdatePlist(plan));
    // Nothing sleeps for as long as that here.
    writeExecutable(`${folder.path}/sleep`, "#!/bin/sh\n");
    const { stdout } = new Deno.Command(shell, {
      args,
      env: { PATH: folder.path },
      clearEnv: true,
    }).outputSync();
    assertEquals(new TextDecoder().decode(stdout), `${proxy} update --now\n`);
  }
});
