import { TempFolder } from "../../temp_folder.ts";
import { assertEquals, assertGreater } from "@std/assert";
import { buildPortable } from "../../../build/portable.ts";
import { startTestPanel } from "../../test_panel/test_panel.ts";
import { AgentProcess } from "../../end_to_end/agent_process.ts";
import { PATIENCE_MS } from "../../patience.ts";
import { Arm64Machine } from "./arm64_machine.ts";
import { onlyIf } from "../../only_on.ts";

const missing = Arm64Machine.missing();
const skipped = missing === undefined ? "" : ` (skipped: ${missing})`;

/** An emulated start computes for ten seconds, which a busy machine makes minutes of. */
const EMULATED_PATIENCE_MS = 5 * PATIENCE_MS;

const here = onlyIf(missing === undefined);

here.test(`a build runs on arm64: version, dry run and reports${skipped}`, async () => {
  using machine = await Arm64Machine.open();
  using folder = new TempFolder();
  const program = await buildPortable({ version: "7.8.9", folder: folder.path });
  const options = { program, env: { DENO: machine.deno } };
  const json = async (...args: string[]) => {
    await using agent = new AgentProcess([...args, "--json"], options);
    assertEquals(await agent.ends(), { code: 0 }, agent.output);
    return JSON.parse(agent.output.slice(agent.output.indexOf("{")));
  };
  const { version, deno, target } = await json("version");
  assertEquals([version, deno, target], ["7.8.9", Deno.version.deno, "linux-arm64"]);
  const { basicInfo, report } = await json("--dry-run", "-i", "0.5");
  assertEquals(basicInfo.arch, "arm64");
  const { cpu_cores, mem_total, disk_total } = basicInfo;
  const { cpu, ram, uptime, process } = report;
  const values = [cpu_cores, mem_total, disk_total, cpu.usage, ram.used, uptime, process];
  for (const value of values) assertGreater(value, 0);

  using panel = await startTestPanel();
  await using agent = new AgentProcess(["-e", panel.url, "-t", panel.token, "-i", "0.5"], options);
  await panel.state.until(({ counts }) => counts.reports >= 3 && counts.basicInfos >= 1, {
    signal: AbortSignal.timeout(EMULATED_PATIENCE_MS),
  });
  assertEquals([panel.state.columns.arch, panel.state.columns.version], ["arm64", "7.8.9"]);
  assertEquals(panel.state.violations, []);
  assertEquals((await agent.stop()).code, 0, agent.output);
});
