import { assertEquals } from "@std/assert";
import { openrcScript, openrcUpdateScript } from "../../lib/service/openrc.ts";
import { updateLoop } from "../../lib/service/service_files.ts";
import { ESCAPED_PLAN, golden, SYSTEM_PLAN } from "./service_plans.ts";

Deno.test("the scripts of OpenRC create the folders, and run the update loop as root", () => {
  assertEquals(openrcScript(SYSTEM_PLAN), golden("usual.openrc"));
  assertEquals(openrcUpdateScript(SYSTEM_PLAN), golden("usual-update.openrc"));
});

Deno.test("openrcScript() quotes command_args for two splits", () => {
  const script = openrcScript(ESCAPED_PLAN);
  assertEquals(script, golden("odd.openrc"));
  const { stdout } = new Deno.Command("sh", {
    args: ["-c", `${script}\neval printf "'%s\\n'" "'$command'" $command_args`],
  }).outputSync();
  const expected = `${ESCAPED_PLAN.program}\n--config\n${ESCAPED_PLAN.config}\n`;
  assertEquals(new TextDecoder().decode(stdout), expected);
});

Deno.test("openrcUpdateScript() quotes the loop for two splits", () => {
  const script = openrcUpdateScript(ESCAPED_PLAN);
  assertEquals(script, golden("odd-update.openrc"));
  const { stdout } = new Deno.Command("sh", {
    args: ["-c", `${script}\neval printf "'%s\\n'" $command $command_args`],
  }).outputSync();
  assertEquals(new TextDecoder().decode(stdout), updateLoop(ESCAPED_PLAN).join("\n") + "\n");
});
