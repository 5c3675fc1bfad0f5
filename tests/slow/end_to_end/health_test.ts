import { TempFolder } from "../../temp_folder.ts";
import { assertEquals, assertMatch } from "@std/assert";
import { delay } from "@std/async/delay";
import { panelFault } from "../../test_panel/faults.ts";
import { startTestPanel } from "../../test_panel/test_panel.ts";
import { AgentProcess } from "../../end_to_end/agent_process.ts";
import { PATIENCE_MS } from "../../patience.ts";

/** Asks for it again and again, until it is what was waited for. */
async function healthUntil(
  wanted: (code: number, output: string) => boolean,
  { args = [], env }: { args?: readonly string[]; env: Record<string, string> },
): Promise<string> {
  for (const deadline = Date.now() + PATIENCE_MS;;) {
    await using asked = new AgentProcess(["health", ...args], { env });
    const { code } = await asked.ends();
    if (wanted(code, asked.output)) return asked.output;
    // The agent needs the processors, too.
    await delay(300);
    if (Date.now() > deadline) throw new Error(`health goes on saying ${code}, ${asked.output}`);
  }
}

Deno.test("health is green while reports are accepted, and red while and when none are", async () => {
  using panel = await startTestPanel({ token: "h3alth" });
  using folder = new TempFolder();
  const env = { RUNTIME_DIRECTORY: folder.path };
  await using agent = new AgentProcess(["-e", panel.url, "-t", panel.token, "-i", "0.5"], { env });
  await agent.says("First report accepted");
  const green = await healthUntil((code) => code === 0, { env });
  assertMatch(green, /^Healthy: a report was accepted [\d.]+ s ago\n$/);

  await panel.setFault(panelFault("silence"));
  const red = await healthUntil((code) => code === 1, { env });
  assertMatch(
    red,
    /^Unhealthy: the last report was .+ more than 16 s: .+ no answer within [56] s\n$/,
  );

  await panel.setFault(undefined);
  const json = await healthUntil((code) => code === 0, { args: ["--json"], env });
  assertEquals(JSON.parse(json).pid, agent.pid);

  panel.close();
  await healthUntil((code) => code === 1, { env });

  await agent.stop();
  const after = await healthUntil(() => true, { args: ["--json"], env });
  assertEquals(JSON.parse(after).pid === agent.pid, false, after);
});
