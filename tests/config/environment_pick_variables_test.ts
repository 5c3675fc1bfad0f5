import { assertEquals } from "@std/assert";
import { pickVariables } from "../../lib/config/environment.ts";

Deno.test("pickVariables() takes what is named and there, also when it is empty", () => {
  const env = { PATH: "/bin", HOME: "", AGENT_TOKEN: "secret" };
  assertEquals(pickVariables(env, ["PATH", "HOME", "TMPDIR"]), { PATH: "/bin", HOME: "" });
});
