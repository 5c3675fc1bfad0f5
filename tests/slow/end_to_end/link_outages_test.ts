import { assert, assertEquals, assertLess } from "@std/assert";
import { type FaultName, panelFault } from "../../test_panel/faults.ts";
import type { ReceivedBy } from "../../../lib/demo/panel_state.ts";
import { startTestPanel, type TestPanel } from "../../test_panel/test_panel.ts";
import { AgentProcess } from "../../end_to_end/agent_process.ts";
import { together } from "./together.ts";

const TOKEN = "l1nk-tr0uble+/&=";

async function play(use: (panel: TestPanel, agent: AgentProcess) => Promise<void>) {
  using panel = await startTestPanel({ token: TOKEN });
  await using agent = new AgentProcess(["-e", panel.url, "-t", TOKEN, "-i", "0.2"]);
  await agent.says("First report accepted, by v2 WebSocket");
  await seen(panel, ({ counts }) => counts.basicInfos > 0);
  await use(panel, agent);
  await agent.stopsAtOnce();
  assertEquals(agent.output.includes(TOKEN), false, "no token");
  assertEquals(agent.output.includes(encodeURIComponent(TOKEN)), false, "in no spelling");
  assertEquals(panel.state.violations, []);
}

function seen(panel: TestPanel, condition: (state: TestPanel["state"]) => boolean): Promise<void> {
  return panel.state.until(condition);
}

/** Resolves when so many more reports have come by that way. */
function more(panel: TestPanel, by: ReceivedBy, count: number): Promise<void> {
  const since = panel.state.reports.at(-1)?.atMs ?? 0;
  return seen(
    panel,
    ({ reports }) => reports.filter((it) => it.by === by && it.atMs > since).length >= count,
  );
}

/** What strikes the whole panel, and what an operator reads of it; more of it strikes POST. */
const OUTAGES: readonly [FaultName, string][] = [
  ["status-500", "status 500"],
  ["html", "a page of HTML"],
  ["404-install", "install mode"],
  ["302-login", "the panel's calls are redirected"],
  ["reset", "lost"],
  ["drop-mid-frame", "closed"],
];

Deno.test("the link outlives whatever strikes the panel, and says so in few lines", async (t) => {
  await together(t, OUTAGES, async ([fault, words]) => {
    await play(async (panel, agent) => {
      await panel.setFault(panelFault(fault));
      await agent.says(words);
      // Time for lines that should not be written.
      await new Promise((resolve) => setTimeout(resolve, 2500));
      await panel.setFault(undefined);
      await more(panel, "v2 websocket", 3);
      await agent.says("again after");
      const lines = agent.output.split("\n").filter((line) => line.includes("panel:"));
      assertLess(lines.length, 8, agent.output);
    });
  });
});

/** What strikes WebSockets alone: reports go by POST, and come back. */
const BARRIERS: readonly [FaultName, string][] = [
  ["websocket-refused", "status 403"],
  ["upgrade-404", "status 404"],
  ["upgrade-429", "status 429"],
  ["upgrade-502", "status 502"],
  ["upgrade-html", "a page of HTML"],
  ["upgrade-302", "redirected to /login"],
  ["upgrade-hang", "no answer within 5 s"],
];

Deno.test("reports go by POST while WebSockets are blocked, and by WebSocket after it", async (t) => {
  await together(t, BARRIERS, async ([fault, words]) => {
    await play(async (panel, agent) => {
      await panel.setFault(panelFault(fault));
      panel.dropConnections();
      await more(panel, "v2 post", 5);
      await agent.says("Reports are sent by POST");
      await panel.setFault(undefined);
      await more(panel, "v2 websocket", 3);
      assertEquals(agent.lines("Reports are sent by POST").length, 1, agent.output);
      assert(agent.output.includes(words), `"${words}" is said:\n${agent.output}`);
      assertEquals(agent.lines("The WebSocket works again").length, 1, agent.output);
    });
  });
});

/** What takes its time, and so goes on at the same time. */
const SLOW: readonly [string, (panel: TestPanel, agent: AgentProcess) => Promise<void>][] = [
  ["a WebSocket that goes mute is given up, and one that stays mute is not waited for", gone],
  ["connections that are taken and never answered are outlived", unanswered],
  ["reports go by POST while each WebSocket is closed as soon as it is open", cut],
  ["two agents with one token are told of each other", rivals],
];

async function gone(panel: TestPanel, agent: AgentProcess): Promise<void> {
  await panel.setFault(panelFault("mute"));
  await more(panel, "v2 post", 3);
  await agent.says("no answer within");
  await panel.setFault(undefined);
  await more(panel, "v2 websocket", 3);
}

async function unanswered(panel: TestPanel, agent: AgentProcess): Promise<void> {
  await panel.setFault(panelFault("silence"));
  panel.dropConnections();
  await agent.says("no answer within");
  await panel.setFault(undefined);
  await more(panel, "v2 websocket", 3);
  await agent.says("answers again");
}

async function cut(panel: TestPanel, agent: AgentProcess): Promise<void> {
  await panel.setFault(panelFault("close-after-upgrade"));
  panel.dropConnections();
  await agent.says("Connections do not last");
  await more(panel, "v2 post", 5);
  await panel.setFault(undefined);
  await more(panel, "v2 websocket", 3);
}

async function rivals(panel: TestPanel, agent: AgentProcess): Promise<void> {
  await using rival = new AgentProcess(["-e", panel.url, "-t", TOKEN, "-i", "0.2"]);
  const words = "then another agent has this token";
  await Promise.race([agent.says(words), rival.says(words)]);
}

Deno.test("the link outlives what takes long to show", async (t) => {
  await together(t, SLOW, ([, use]) => play(use));
});
