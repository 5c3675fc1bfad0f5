import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { Programs } from "../../lib/host/programs.ts";
import { eventually } from "../remote/processes_below.ts";
import { fileErrorCode } from "../test_panel/file_contract.ts";
import { REMOTE_CONTROL, until, withAgent } from "./setup.ts";
import { testResumedTerminal, withFolder } from "./remote_control.ts";
import { onlyIf } from "../only_on.ts";

const ignore = new Programs().find("script", Deno.env.get("PATH") ?? "") === undefined;

const here = onlyIf(!ignore);

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
    assertMatch(refusals[1] ?? "", / warning +remote: .*"1\.2\.\*": only the latest version/);
  });
});

Deno.test("an agent with --disable-remote-files refuses files alone", async () => {
  const setup = {
    panel: { generation: "1.5" },
    args: [REMOTE_CONTROL, "--disable-remote-files"],
  } as const;
  await withAgent(setup, async (panel, agent) => {
    await agent.says("First report accepted");
    await withFolder(async (folder) => {
      const refused = () => panel.files.request("create", { path: `${folder}/file` });
      const error = await assertRejects(refused, Error, "web control is disabled");
      assertEquals(fileErrorCode(error), -32603);
      assertEquals([...Deno.readDirSync(folder)], []);
    });
    panel.node.sendCommand("echo done; exit 3");
    await until(panel, ({ commandResults }) => commandResults.length === 1);
    const [result] = panel.state.commandResults;
    assertEquals([result?.value.result, result?.value.exitCode], ["done\n", 3]);
    // Panels of 1.5 take results by version 2 alone.
    assertEquals(result?.by.startsWith("v2"), true);
    await eventually(() => agent.lines("Refused a file request").length > 0);
    assertEquals(agent.lines("Refused a file request").length, 1);
    assertMatch(agent.output, /Refused a file request of the panel: --disable-remote-files is set/);
  });
});
