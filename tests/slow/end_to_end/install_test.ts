import { assertEquals, assertStringIncludes } from "@std/assert";
import { AgentProcess } from "../../end_to_end/agent_process.ts";

// What is installed on this machine is none of a test's business: these names are never given.
const NAME = ["--install-service-name", "never-installed"];

async function outcome(args: readonly string[]) {
  await using agent = new AgentProcess(args);
  const { code } = await agent.ends();
  return { code, output: agent.output };
}

Deno.test("install refuses to install a checkout, and says what can be", async () => {
  const args = ["install", "-e", "https://p.example", "-t", "secret", ...NAME];
  const { code, output } = await outcome(args);
  assertEquals(code, 2, output);
  assertStringIncludes(output, "deno task compile --portable");
});

Deno.test("uninstall is content when nothing is installed", async () => {
  const { code, output } = await outcome(["uninstall", ...NAME]);
  assertEquals(code, 0, output);
  assertStringIncludes(output, "Nothing is installed as never-installed");
});
