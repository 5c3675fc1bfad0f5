import { assertEquals } from "@std/assert";
import { procdScript } from "../../lib/service/procd.ts";
import { ESCAPED_PLAN, golden, SYSTEM_PLAN } from "./service_plans.ts";

Deno.test("procdScript() creates the folders and starts the agent", () => {
  assertEquals(procdScript(SYSTEM_PLAN), golden("usual.procd"));
});

Deno.test("procdScript() quotes blanks, quotes and $", () => {
  const script = procdScript(ESCAPED_PLAN);
  assertEquals(script, golden("odd.procd"));
  const fakes = "mkdir() { :; }; chown() { :; }; chmod() { :; }; procd_open_instance() { :; }; " +
    "procd_close_instance() { :; }; procd_append_param() { :; }; " +
    `procd_set_param() { [ "$1" != command ] || { shift; printf '%s\\n' "$@"; }; }`;
  const { stdout } = new Deno.Command("sh", {
    args: ["-c", `${script}\n${fakes}\nstart_service`],
  }).outputSync();
  assertEquals(
    new TextDecoder().decode(stdout),
    `${ESCAPED_PLAN.program}\n--config\n${ESCAPED_PLAN.config}\n`,
  );
});
