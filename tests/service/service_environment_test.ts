import { assertEquals } from "@std/assert";
import { agentVariables } from "../../lib/service/service_environment.ts";
import { USERS_PLAN, USUAL_PLAN } from "./plans.ts";

Deno.test("agentVariables() leaves updates to who may write the program", () => {
  const { AGENT_DISABLE_AUTO_UPDATE: off } = agentVariables(USUAL_PLAN);
  assertEquals(off, "true");
  for (const plan of [{ ...USUAL_PLAN, user: "root" }, USERS_PLAN]) {
    assertEquals("AGENT_DISABLE_AUTO_UPDATE" in agentVariables(plan), false);
  }
});
