import { assertEquals } from "@std/assert";
import { systemdUpdateTimer, systemdUpdateUnit } from "../../lib/service/systemd.ts";
import { golden, ODD_PLAN, USERS_PLAN, USUAL_PLAN } from "./plans.ts";

Deno.test("systemdUpdateUnit() takes a newer version as root, apart from the agent", () => {
  assertEquals(systemdUpdateUnit(USUAL_PLAN), golden("usual-update.service"));
});

Deno.test("systemdUpdateUnit() has the proxies too, and its Deno's folder where the agent can't write", () => {
  assertEquals(systemdUpdateUnit(ODD_PLAN), golden("odd-update.service"));
});

Deno.test("systemdUpdateUnit() names a user's folders", () => {
  assertEquals(systemdUpdateUnit(USERS_PLAN), golden("user-update.service"));
});

Deno.test("systemdUpdateTimer() comes soon after a start, and every 6 h", () => {
  assertEquals(systemdUpdateTimer(), golden("update.timer"));
});
