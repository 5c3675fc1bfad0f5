import { assertEquals } from "@std/assert";
import { openrcScript } from "../../lib/service/openrc.ts";
import { golden, ODD_PLAN, USUAL_PLAN } from "./plans.ts";

Deno.test("openrcScript() makes the folders and leaves the rest to the supervisor", () => {
  assertEquals(openrcScript(USUAL_PLAN), golden("usual.openrc"));
});

Deno.test("openrcScript() quotes what the shell reads once, and what it reads twice", () => {
  const script = openrcScript(ODD_PLAN);
  assertEquals(script, golden("odd.openrc"));
  const { stdout } = new Deno.Command("sh", {
    args: ["-c", `${script}\neval printf "'%s\\n'" "'$command'" $command_args`],
  }).outputSync();
  assertEquals(
    new TextDecoder().decode(stdout),
    `${ODD_PLAN.program}\n--config\n${ODD_PLAN.config}\n`,
  );
});
