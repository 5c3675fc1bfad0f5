import { assertEquals, assertStringIncludes } from "@std/assert";
import { startTestPanel } from "../test_panel/test_panel.ts";
import { AgentProcess } from "../end_to_end/agent_process.ts";
import { onLinux } from "../only_on.ts";

/** The arguments of an agent that reports to a panel which nobody runs. */
const ARGS = ["-e", "http://127.0.0.1:1", "-t", "t0ken"];

onLinux.test("--require-seal ends with exit code 2 when remote control is on", async () => {
  await using agent = new AgentProcess([...ARGS, "--require-seal", "--enable-remote-control"]);
  const { code } = await agent.ends();
  assertEquals(code, 2, agent.output);
  assertStringIncludes(agent.output, "Cannot use --require-seal together with");
});

onLinux.test("--require-seal changes nothing where the kernel seals the process", async () => {
  using panel = await startTestPanel({ token: "t0ken" });
  await using agent = new AgentProcess(["-e", panel.url, "-t", "t0ken", "--require-seal"]);
  await agent.says("this process is sealed by the kernel and the runtime");
  await agent.says("First report accepted");
  assertEquals((await agent.stop()).code, 0);
});
