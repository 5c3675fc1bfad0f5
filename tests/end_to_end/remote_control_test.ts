import { assert, assertEquals, assertMatch } from "@std/assert";
import { Programs } from "../../lib/host/programs.ts";
import { eventually } from "../remote/processes_below.ts";
import { REMOTE_CONTROL, until, withAgent } from "./setup.ts";
import { exists, isAlive } from "../exists.ts";
import { TempFolder } from "../temp_folder.ts";
import type { TestPanel } from "../test_panel/test_panel.ts";
import type { AgentProcess } from "./agent_process.ts";
import { onlyIf } from "../only_on.ts";

const here = onlyIf(new Programs().find("script", Deno.env.get("PATH") ?? "") !== undefined);

here.test("an agent with remote control does all that a panel of main can order", async () => {
  const args = [REMOTE_CONTROL, "--header", "X-Secret: s3cret-he4der"];
  await withAgent({ panel: { generation: "main" }, args }, async (panel, agent) => {
    await agent.says("First report accepted");
    await testResumedTerminal(panel, agent);

    const config = JSON.stringify(await panel.requestStartupConfig());
    assertMatch(config, /"interval":0\.2/);
    for (const secret of [panel.token, encodeURIComponent(panel.token), "s3cret-he4der"]) {
      assertEquals(config.includes(secret), false, secret);
    }

    for (const version of ["latest", "latest", "1.2.*"]) assert(panel.switchVersion(version));
    // A command that was ordered after them is answered after them.
    const id = panel.node.sendCommand("echo done");
    await until(panel, ({ commandResults }) => {
      return commandResults.some(({ value }) => value.taskId === id);
    });
    // A terminal whose user has gone is no reason to warn.
    assertEquals(agent.lines(" warning ").filter((line) => line.includes("Terminal")), []);
    const refusals = agent.lines("Refused to switch to version");
    assertEquals(refusals.length, 2, agent.output);
    assertMatch(refusals[0] ?? "", / warning +remote: .*"latest": .*sources?/);
    assertMatch(refusals[1] ?? "", / warning +remote: .*"1\.2\.\*": only the latest or an exact/);
  });
});

/** Runs `use` with a fresh folder and removes it afterwards. */
async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  using folder = new TempFolder();
  await use(Deno.realPathSync(folder.path));
}

/** Tests that a terminal survives a lost connection, and ends when the user closes it. */
async function testResumedTerminal(panel: TestPanel, agent: AgentProcess): Promise<void> {
  await withFolder(async (folder) => {
    const id = panel.terminals.request();
    const terminal = panel.terminals.get(id);
    await terminal.until(({ isConnected }) => isConnected);
    terminal.send("echo first-$$-fir''st\r");
    await terminal.until(({ output }) => /first-\d+-first/.test(output));
    const [, shell = ""] = /first-(\d+)-first/.exec(terminal.output) ?? [];

    const waits = `until [ -e ${folder}/go ]; do sleep 0.02; done`;
    terminal.send(`${waits}; echo mis''sed; echo > ${folder}/done; echo rea''dy\r`);
    await terminal.until(({ output }) => output.includes("rea''dy"));
    terminal.detachBrowser();
    await terminal.until(({ isConnected }) => !isConnected);
    await Deno.writeTextFile(`${folder}/go`, "");
    await eventually(() => exists(`${folder}/done`));
    assertEquals(terminal.output.includes("missed"), false);
    panel.terminals.request(id);
    await terminal.until(({ output }) => output.includes("ready"));
    assertMatch(terminal.output, /missed\r\nready\r\n/);
    terminal.send("echo again-$$-aga''in\r");
    await terminal.until(({ output }) => output.includes(`again-${shell}-again`));

    assertEquals(isAlive(Number(shell)), true);
    terminal.close();
    await eventually(() => !isAlive(Number(shell)));
    await agent.says(`Terminal ${id} ended`);
    assertMatch(agent.lines(`Terminal ${id} ended`)[0] ?? "", /the user has closed it/);

    // The user is gone before the agent dials: "Session not found".
    const gone = panel.terminals.request();
    panel.terminals.get(gone).detachBrowser();
    const isRefused = () => {
      return panel.state.calls.some(({ path, status }) => /terminal$/.test(path) && status === 404);
    };
    await panel.state.until(isRefused);
    panel.terminals.get(gone).end();
  });
}
