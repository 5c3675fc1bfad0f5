import { assertEquals } from "@std/assert";
import { openrcUpdateScript } from "../../lib/service/openrc.ts";
import { updateLoop } from "../../lib/service/update_service.ts";
import { golden, ODD_PLAN, USUAL_PLAN } from "./plans.ts";

Deno.test("openrcUpdateScript() has the supervisor run a loop as root", () => {
  assertEquals(openrcUpdateScript(USUAL_PLAN), golden("usual-update.openrc"));
});

Deno.test("openrcUpdateScript() hands the loop's words on as they are, read by the shell twice", () => {
  const script = openrcUpdateScript(ODD_PLAN);
  assertEquals(script, golden("odd-update.openrc"));
  const { stdout } = new Deno.Command("sh", {
    args: ["-c", `${script}\neval printf "'%s\\n'" $command $command_args`],
  }).outputSync();
  assertEquals(new TextDecoder().decode(stdout), updateLoop(ODD_PLAN).join("\n") + "\n");
});
