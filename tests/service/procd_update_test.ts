import { assertEquals } from "@std/assert";
import { procdUpdateScript } from "../../lib/service/procd.ts";
import { updateLoop } from "../../lib/service/update_service.ts";
import { ESCAPED_PLAN, golden, SYSTEM_PLAN } from "./service_plans.ts";

Deno.test("procdUpdateScript() runs the update loop as root", () => {
  assertEquals(procdUpdateScript(SYSTEM_PLAN), golden("usual-update.procd"));
});

Deno.test("procdUpdateScript() quotes the loop", () => {
  const script = procdUpdateScript(ESCAPED_PLAN);
  assertEquals(script, golden("odd-update.procd"));
  const fakes = "procd_open_instance() { :; }; procd_close_instance() { :; }\n" +
    `procd_set_param() { [ "$1" = command ] && shift && printf '%s\\n' "$@"; }`;
  const { stdout } = new Deno.Command("sh", {
    args: ["-c", `${script}\n${fakes}\nstart_service`],
  }).outputSync();
  assertEquals(new TextDecoder().decode(stdout), updateLoop(ESCAPED_PLAN).join("\n") + "\n");
});
