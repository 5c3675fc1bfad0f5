import { assertEquals } from "@std/assert";
import { systemdUpdateTimer, systemdUpdateUnit } from "../../lib/service/systemd.ts";
import { ESCAPED_PLAN, golden, SYSTEM_PLAN, USER_PLAN } from "./service_plans.ts";

Deno.test("systemdUpdateUnit() updates as root, separately from the agent", () => {
  assertEquals(systemdUpdateUnit(SYSTEM_PLAN), golden("usual-update.service"));
});

Deno.test("systemdUpdateUnit() reads the proxies and keeps Deno's cache from the agent", () => {
  assertEquals(systemdUpdateUnit(ESCAPED_PLAN), golden("odd-update.service"));
});

Deno.test("systemdUpdateUnit() uses the user's folders", () => {
  assertEquals(systemdUpdateUnit(USER_PLAN), golden("user-update.service"));
});

Deno.test("systemdUpdateTimer() fires after boot and every 6 h", () => {
  assertEquals(systemdUpdateTimer(), golden("update.timer"));
});
