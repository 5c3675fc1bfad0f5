import { assertEquals } from "@std/assert";
import { openAgent } from "../../lib/agent/open_agent.ts";
import { runOpened } from "../../lib/agent/run_agent.ts";
import { supportedPlatform } from "../../lib/cli/command.ts";
import { resolveConfig } from "../../lib/config/config.ts";
import { realTurn } from "../fake_time.ts";
import { TempFolder } from "../temp_folder.ts";
import { startTestPanel } from "../test_panel/test_panel.ts";

Deno.test({
  name:
    "runOpened() gives the machine its shell, tells the registration how calls end, and waits for the rest",
  ignore: Deno.build.os !== "linux",
  async fn() {
    using folder = new TempFolder();
    using panel = await startTestPanel({ discoveryKey: "d1scovery-k3y" });
    const config = resolveConfig({
      args: [
        "-e",
        panel.url,
        "--auto-discovery",
        "d1scovery-k3y",
        "-i",
        "0.2",
        "--ip-services",
        "off",
      ],
      env: {
        RUNTIME_DIRECTORY: `${folder.path}/run`,
        AGENT_STATE_DIR: `${folder.path}/state`,
      },
      readText: () => "",
      readMode: () => undefined,
    });
    const ended = new AbortController();
    const { signal } = ended;
    const agent = await openAgent(config, { ...supportedPlatform(), signal, secrets: [] });
    await using _ = agent;
    const { machine, registration, shell } = agent;
    const shells: unknown[] = [];
    machine.useShell = (given) => void shells.push(given);
    const outcomes: unknown[] = [];
    if (registration !== undefined) registration.onOutcome = (error) => void outcomes.push(error);
    let isWritten = false;
    const traffic = {
      collectors: [],
      async run(signal: AbortSignal) {
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
        for (let turn = 0; turn < 10; turn++) await realTurn();
        isWritten = true;
      },
    };

    const running = runOpened({ ...agent, traffic }, undefined);
    await panel.state.until(({ counts }) => counts.reports >= 3);
    ended.abort();
    await running;
    assertEquals(shells, [shell]);
    assertEquals(outcomes.slice(0, 1), [undefined]);
    assertEquals(isWritten, true);
  },
});
