import { assertEquals } from "@std/assert";
import type { Check } from "../../lib/doctor/check.ts";
import { inOrder } from "../../lib/doctor/order.ts";
import { cases, same } from "../cases.ts";

/** Checks as `dns!` (failed), `tls?` (warning) or `agent` (ok), with a text behind `=`; in order, with what each follows. */
function ordered(line: string): string {
  const checks = line.split(" ").map((word): Check => {
    const [, id = "", mark = "", text = ""] = /^(\w+)([!?]?)(?:=(.*))?$/.exec(word) ?? [];
    const status = mark === "!" ? "failed" : mark === "?" ? "warning" : "ok";
    return { id, title: id, status, text: text.replaceAll("_", " "), advice: [], ms: 0 };
  });
  return inOrder(checks).map(({ id, follows }) => follows === undefined ? id : `${id}<${follows}`)
    .join(" ");
}

Deno.test("the cause stands first, and what only shows it again follows from it", () =>
  same(
    ordered,
    cases(`
config network dns → config network dns
version agent! token! dns → token agent<token dns version
token? connect! → connect token
websocket? encryption? seal → websocket encryption seal
encryption? service? clock? → clock service encryption
agent?=every_user_of_this_machine_can_read_its_token encryption?=everything_goes_unencrypted ping? remote! → remote ping agent encryption
connect! agent! probes? version? → connect agent<connect probes<connect version<connect
service! agent! → service agent<service
config! service! agent! → config service<config agent<config
panel! service!=Cannot_report_without_a_token → panel service<panel
panel! service!=it_is_masked → panel service
ping! probes? → ping probes<ping
network! agent!=its_process_was_stopped_by_a_signal → network agent
`),
  ));

Deno.test("what follows from a check is not one's own cause", () => {
  const check = { title: "x", text: "", advice: [], ms: 0 };
  const [dns, agent] = inOrder([
    { ...check, id: "agent", status: "failed" },
    { ...check, id: "dns", status: "failed" },
  ]);
  assertEquals([dns?.follows, agent?.follows], [undefined, "dns"]);
});
