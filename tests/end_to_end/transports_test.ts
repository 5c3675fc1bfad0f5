import { assert, assertEquals, assertGreater, assertStringIncludes } from "@std/assert";
import type { Transport } from "../../lib/demo/panel_state.ts";
import {
  type StandInPanel,
  type StandInPanelOptions,
  startStandInPanel,
} from "../../lib/demo/stand_in_panel.ts";
import { AgentProcess } from "./agent_process.ts";

const TOKEN = "tr4nsp0rt+/&=";
const CONTROL = "--enable-remote-control";

interface Scene {
  readonly panel?: StandInPanelOptions;
  readonly args?: readonly string[];
}

/** A panel and an agent; both are gone afterwards, and neither the contract nor a secret was broken. */
async function play(
  { panel: options = {}, args = [] }: Scene,
  use: (panel: StandInPanel, agent: AgentProcess) => Promise<void>,
): Promise<void> {
  const panel = await startStandInPanel({ port: 0, token: TOKEN, ...options });
  try {
    await using agent = new AgentProcess(["-e", panel.url, "-t", TOKEN, "-i", "0.2", ...args]);
    await use(panel, agent);
    assertEquals(panel.state.violations, [], "the contract was kept");
    assertEquals(agent.output.includes(TOKEN), false, "the token is in no line");
    assertEquals(agent.output.includes(encodeURIComponent(TOKEN)), false, "in no spelling");
  } finally {
    await panel.close();
  }
}

/** Waits for what the panel has to see; a test that waits for ever tells nothing. */
function seen(
  panel: StandInPanel,
  condition: (state: StandInPanel["state"]) => boolean,
): Promise<void> {
  return panel.state.until(condition, { signal: AbortSignal.timeout(60_000) });
}

/** Each way to the panel, and what leads to it. */
const WAYS: readonly [Transport, string, Scene, boolean][] = [
  ["v2 websocket", "v2 WebSocket", {}, true],
  ["v2 post", "v2 POST", { panel: { fault: { name: "upgrade-403" } } }, true],
  ["v1 post", "v1 POST", { panel: { speaks: 1 } }, false],
  ["v1 websocket", "v1 POST", { panel: { speaks: 1 }, args: [CONTROL] }, true],
  ["v1 post", "v1 POST", { args: ["--transport", "http"] }, false],
  ["v1 post", "v1 POST", { args: ["--protocol-version", "1"] }, false],
  ["v1 websocket", "v1 WebSocket", { args: ["--protocol-version", "1", CONTROL] }, true],
];

for (const [by, first, scene, takesCommands] of WAYS) {
  const how = JSON.stringify(scene);
  Deno.test(`the agent reports, probes and answers commands by ${by} with ${how}`, async () => {
    await play(scene, async (panel, agent) => {
      panel.state.tasks = [
        { id: 7, name: "p", type: "tcp", target: `127.0.0.1:${panel.port}`, interval: 1 },
      ];
      await seen(panel, ({ reports }) => reports.filter((it) => it.by === by).length >= 3);
      await agent.says(`First report accepted, by ${first}`);
      await seen(panel, ({ counts }) => counts.basicInfos >= 1);
      await seen(panel, ({ pingResults }) => pingResults.some(({ value }) => value.taskId === 7));
      const { value } = panel.state.pingResults[0] ?? {};
      assert(Number(value?.valueMs) >= 0);
      if (!takesCommands) return;
      const id = panel.sendCommand("echo done; exit 3");
      await seen(panel, ({ commandResults }) => commandResults.length === 1);
      const [result] = panel.state.commandResults;
      assertEquals(result?.value.taskId, id);
      const isOn = scene.args?.includes(CONTROL) === true;
      assertEquals(result?.value.result, isOn ? "done\n" : "Remote control is disabled.");
      assertEquals(result?.value.exitCode, isOn ? 3 : -1);
      if (scene.panel?.fault === undefined) assertEquals(agent.lines("trying again"), []);
    });
  });
}

Deno.test("the agent packs what it posts, unless it is told not to", async () => {
  const fault = { name: "upgrade-502" } as const;
  const encodings = (panel: StandInPanel) =>
    new Set(
      panel.state.calls.filter(({ method, status }) => method === "POST" && status === 200)
        .map(({ headers }) => headers["content-encoding"] ?? "none"),
    );
  await play({ panel: { fault } }, async (panel) => {
    await seen(panel, ({ counts }) => counts.reports >= 2);
    assert(encodings(panel).has("gzip"));
  });
  await play({ panel: { fault }, args: ["--disable-compression"] }, async (panel) => {
    await seen(panel, ({ counts }) => counts.reports >= 2);
    assertEquals(encodings(panel), new Set(["none"]));
  });
});

Deno.test("the agent opens a terminal when remote control is on", async () => {
  await play({ args: [CONTROL] }, async (panel, agent) => {
    await agent.says("Remote control is on");
    const terminal = panel.terminal(panel.requestTerminal());
    await seen(panel, () => terminal.isConnected);
    terminal.resize(101, 33);
    terminal.send("stty size; echo $((6 * 7))a漢\r");
    await terminal.until(({ output }) => output.includes("42a漢"), {
      signal: AbortSignal.timeout(60_000),
    });
    terminal.send("exit\r");
    await seen(panel, () => terminal.isOver);
    assertStringIncludes(terminal.output, "33 101");
  });
});

Deno.test("the agent refuses a terminal in a line when remote control is off", async () => {
  await play({}, async (panel, agent) => {
    await agent.says("has given up the right to start programs");
    const terminal = panel.terminal(panel.requestTerminal());
    await terminal.until(({ output }) => output.includes("--enable-remote-control"), {
      signal: AbortSignal.timeout(60_000),
    });
    await seen(panel, () => terminal.isOver);
  });
});

Deno.test("--disable-web-ssh wins over --enable-remote-control", async () => {
  await play({ args: [CONTROL, "--disable-web-ssh"] }, async (panel, agent) => {
    await agent.says("has given up the right to start programs");
    panel.sendCommand("id");
    await seen(panel, ({ commandResults }) => commandResults.length === 1);
    assertEquals(panel.state.commandResults[0]?.value.exitCode, -1);
  });
});

Deno.test("a command that runs on does not hold up reports, and ends with the agent", async () => {
  await play({ args: [CONTROL] }, async (panel, agent) => {
    await agent.says("Remote control is on");
    panel.sendCommand("sleep 987654 & sleep 987654");
    await agent.says("starts");
    const { reports } = panel.state.counts;
    await seen(panel, ({ counts }) => counts.reports >= reports + 5);
    const { code } = await agent.stop();
    assertEquals(code, 0);
    const left = new Deno.Command("pgrep", { args: ["-f", "sleep 987654"] }).outputSync();
    assertEquals(new TextDecoder().decode(left.stdout), "", "no process is left");
  });
});

Deno.test("a command runs out of time, and says so", async () => {
  await play({ args: [CONTROL, "--exec-timeout", "0.01"] }, async (panel, agent) => {
    await agent.says("Remote control is on");
    panel.sendCommand("echo early; sleep 987653");
    await seen(panel, ({ commandResults }) => commandResults.length === 1);
    const { value } = panel.state.commandResults[0] ?? {};
    assertStringIncludes(value?.result ?? "", "early");
    assertEquals(value?.exitCode, 124);
  });
});

Deno.test("over a WebSocket reports go every 10 s when more was asked for", async () => {
  const panel = await startStandInPanel({ port: 0, token: TOKEN });
  try {
    await using agent = new AgentProcess(["-e", panel.url, "-t", TOKEN, "-i", "25"]);
    await agent.says("Reports go every 10 s");
    await seen(panel, ({ counts }) => counts.reports >= 2);
    const [first, second] = panel.state.reports;
    assertGreater(Number(second?.atMs) - Number(first?.atMs), 9_000);
    assertEquals(panel.state.sockets.opened, 1, "the panel did not drop it");
  } finally {
    await panel.close();
  }
});
