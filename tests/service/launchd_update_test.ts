import { assertEquals } from "@std/assert";
import { launchdUpdatePlist } from "../../lib/service/launchd.ts";
import { parseLaunchdCommand } from "../../lib/service/official_commands.ts";
import { ESCAPED_PLAN, golden, SYSTEM_PLAN } from "./service_plans.ts";
import { writeExecutable } from "../executable.ts";

Deno.test("launchdUpdatePlist() updates as root after boot and every 6 h", () => {
  assertEquals(launchdUpdatePlist(SYSTEM_PLAN), golden("usual-update.plist"));
});

Deno.test("launchdUpdatePlist() sources the proxies and quotes nothing into the script", () => {
  assertEquals(launchdUpdatePlist(ESCAPED_PLAN), golden("odd-update.plist"));
});

Deno.test("launchdUpdatePlist() reads variables from root's file only", () => {
  const folder = Deno.makeTempDirSync();
  try {
    const environment = `${folder}/environment`;
    const program = `${folder}/program`;
    Deno.writeTextFileSync(environment, 'HTTPS_PROXY="http://proxy:3128"\n');
    writeExecutable(program, '#!/bin/sh\necho "$HTTPS_PROXY $*"\n');
    for (const [path, proxy] of [[environment, "http://proxy:3128"], [undefined, ""]] as const) {
      const plan = { ...SYSTEM_PLAN, program, environmentFile: path };
      const { words: [shell = "", ...args] } = parseLaunchdCommand(launchdUpdatePlist(plan));
      // Nothing sleeps for as long as that here.
      writeExecutable(`${folder}/sleep`, "#!/bin/sh\n");
      const { stdout } = new Deno.Command(shell, {
        args,
        env: { PATH: folder },
        clearEnv: true,
      }).outputSync();
      assertEquals(new TextDecoder().decode(stdout), `${proxy} update --now\n`);
    }
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});
