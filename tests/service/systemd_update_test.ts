import { assertEquals } from "@std/assert";
import { systemdUpdateTimer, systemdUpdateUnit } from "../../lib/service/systemd.ts";
import { ESCAPED_PLAN, golden, SYSTEM_PLAN, USER_PLAN } from "./service_plans.ts";

Deno.test("systemdUpdateUnit() takes a newer version as root, apart from the agent", () => {
  assertEquals(systemdUpdateUnit(SYSTEM_PLAN), golden("usual-update.service"));
});

Deno.test("systemdUpdateUnit() has the proxies too, and its Deno's folder where the agent can't write", () => {
  assertEquals(systemdUpdateUnit(ESCAPED_PLAN), golden("odd-update.service"));
});

Deno.test("systemdUpdateUnit() names a user's folders", () => {
  assertEquals(systemdUpdateUnit(USER_PLAN), golden("user-update.service"));
});

Deno.test("systemdUpdateTimer() comes soon after a start, and every 6 h", () => {
  assertEquals(systemdUpdateTimer(), golden("update.timer"));
});
