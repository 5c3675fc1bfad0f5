import { assertEquals } from "@std/assert";
import { openrcScript } from "../../lib/service/openrc.ts";
import { ESCAPED_PLAN, golden, SYSTEM_PLAN } from "./service_plans.ts";

Deno.test("openrcScript() creates the folders and uses supervise-daemon", () => {
  assertEquals(openrcScript(SYSTEM_PLAN), golden("usual.openrc"));
});

Deno.test("openrcScript() quotes command_args for two splits", () => {
  const script = openrcScript(ESCAPED_PLAN);
  assertEquals(script, golden("odd.openrc"));
  const { stdout } = new Deno.Command("sh", {
    args: ["-c", `${script}\neval printf "'%s\\n'" "'$command'" $command_args`],
  }).outputSync();
  assertEquals(
    new TextDecoder().decode(stdout),
    `${ESCAPED_PLAN.program}\n--config\n${ESCAPED_PLAN.config}\n`,
  );
});
