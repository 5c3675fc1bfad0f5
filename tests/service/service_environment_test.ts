import { assertEquals } from "@std/assert";
import { agentVariables } from "../../lib/service/service_environment.ts";
import { SYSTEM_PLAN, USER_PLAN } from "./service_plans.ts";

Deno.test("agentVariables() leaves updates to who may write the program", () => {
  const { AGENT_DISABLE_AUTO_UPDATE: off } = agentVariables(SYSTEM_PLAN);
  assertEquals(off, "true");
  for (const plan of [{ ...SYSTEM_PLAN, user: "root" }, USER_PLAN]) {
    assertEquals("AGENT_DISABLE_AUTO_UPDATE" in agentVariables(plan), false);
  }
});
