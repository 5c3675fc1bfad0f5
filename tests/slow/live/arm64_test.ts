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

here.test(`a build runs on arm64${skipped}`, async (t) => {
  using machine = await Arm64Machine.open();
  using folder = new TempFolder();
  const program = await buildPortable({ version: "7.8.9", folder: folder.path });
  const options = { program, env: { DENO: machine.deno } };
  await t.step("it says so", () => tellsItsVersion(options));
  await t.step("a dry run has values", () => hasValues(options));
  await t.step("its reports are taken, and it ends when told", () => reports(options));
});

interface Options {
  readonly program: string;
  readonly env: Record<string, string>;
}

async function tellsItsVersion(options: Options): Promise<void> {
  await using agent = new AgentProcess(["version", "--json"], options);
  assertEquals(await agent.ends(), { code: 0 }, agent.output);
  const { version, deno, target } = JSON.parse(agent.output);
  assertEquals({ version, deno, target }, {
    version: "7.8.9",
    deno: Deno.version.deno,
    target: "linux-arm64",
  });
}

async function hasValues(options: Options): Promise<void> {
  await using agent = new AgentProcess(["--dry-run", "--json", "-i", "0.5"], options);
  assertEquals(await agent.ends(), { code: 0 }, agent.output);
  const { basicInfo, report } = JSON.parse(agent.output.slice(agent.output.indexOf("{")));
  assertEquals(basicInfo.arch, "arm64");
  const { cpu_cores, mem_total, disk_total } = basicInfo;
  for (const value of [cpu_cores, mem_total, disk_total]) assertGreater(value, 0);
  for (const value of [report.cpu.usage, report.ram.used, report.uptime, report.process]) {
    assertGreater(value, 0);
  }
}

async function reports(options: Options): Promise<void> {
  using panel = await startTestPanel();
  const args = ["-e", panel.url, "-t", panel.token, "-i", "0.5"];
  await using agent = new AgentProcess(args, options);
  await panel.state.until(({ counts }) => counts.reports >= 3 && counts.basicInfos >= 1, {
    signal: AbortSignal.timeout(EMULATED_PATIENCE_MS),
  });
  assertEquals(panel.state.columns.arch, "arm64");
  assertEquals(panel.state.columns.version, "7.8.9");
  assertEquals(panel.state.violations, []);
  assertEquals((await agent.stop()).code, 0, agent.output);
}
