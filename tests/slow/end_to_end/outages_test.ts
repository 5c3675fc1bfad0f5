import { assert, assertEquals, assertLess } from "@std/assert";
import { type FaultName, panelFault } from "../../test_panel/faults.ts";
import type { TestFault } from "../../test_panel/test_fault.ts";
import type { ReceivedBy } from "../../../lib/demo/panel_state.ts";
import { startTestPanel, type TestPanel } from "../../test_panel/test_panel.ts";
import { AgentProcess } from "../../end_to_end/agent_process.ts";
import { together } from "./together.ts";

const TOKEN = "l1nk-tr0uble+/&=";

const HTTP = ["--protocol-version", "1"];

async function play(
  use: (panel: TestPanel, agent: AgentProcess) => Promise<void>,
  { args = [], fault }: { args?: readonly string[]; fault?: TestFault } = {},
): Promise<void> {
  using panel = await startTestPanel({ token: TOKEN, fault });
  await using agent = new AgentProcess(["-e", panel.url, "-t", TOKEN, "-i", "0.2", ...args]);
  await agent.says(`First report accepted, by ${args.length > 0 ? "v1 POST" : "v2 WebSocket"}`);
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

/** Resolves when so many more reports have come by that way, or by any. */
function more(panel: TestPanel, by: ReceivedBy | undefined, count: number): Promise<void> {
  const at = panel.state.reports.at(-1)?.atMs ?? 0;
  return seen(
    panel,
    ({ reports }) =>
      reports.filter((it) => (by ?? it.by) === it.by && it.atMs > at).length >= count,
  );
}

/** What strikes the whole panel, and what an operator reads of it. */
const OUTAGES: readonly [FaultName, string][] = [
  ["status-500", "status 500"],
  ["404-install", "install mode"],
  ["302-login", "the panel's calls are redirected"],
  ["reset", "lost"],
  ["drop-mid-frame", "closed"],
];

/** What strikes the calls of version 1. */
const HTTP_OUTAGES: readonly [FaultName, string][] = [
  ["refuse", "refused"],
  ["server-error", "status 502 and a page of HTML"],
  ["token-refused", "does not know this token"],
  ["endless", "longer than 262144 bytes"],
  ["close", "connection was closed"],
  ["silence", "no answer within 5 s"],
];

Deno.test("the agent outlives whatever strikes the panel, and says so in few lines", async (t) => {
  const links = OUTAGES.map(([fault, words]) => [`${fault} of links`, fault, words] as const);
  const calls = HTTP_OUTAGES.map(([fault, words]) => [`${fault} of calls`, fault, words] as const);
  await together(t, [...links, ...calls], async ([name, fault, words]) => {
    const isLink = name.endsWith("links");
    await play(async (panel, agent) => {
      await panel.setFault(panelFault(fault));
      await agent.says(words);
      // Time for lines that should not be written.
      await new Promise((resolve) => setTimeout(resolve, 2500));
      await panel.setFault(undefined);
      await more(panel, isLink ? undefined : "v1 post", 3);
      await agent.says("again after");
      assertLess(agent.lines("panel:").length, 8, agent.output);
      if (isLink) return;
      assertEquals(agent.lines(words).length, 1, `said once:\n${agent.output}`);
      assertEquals(agent.lines("again after").length, 1, agent.output);
    }, isLink ? {} : { args: HTTP });
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

Deno.test("the agent goes on reporting when the task list can't be read", () =>
  play(async (panel, agent) => {
    await agent.says("Cannot fetch the probe tasks");
    await more(panel, "v1 post", 3);
    assertEquals(agent.lines("Cannot fetch the probe tasks").length, 1, agent.output);
  }, { args: HTTP, fault: panelFault("bad-tasks") }));

Deno.test("the agent sends old panels basic info without the newer fields, and remembers", () =>
  play(async (panel, agent) => {
    await agent.says("only without the newer fields");
    const statuses = () =>
      panel.state.calls.filter(({ path }) => path.endsWith("/uploadBasicInfo"))
        .map(({ status }) => status);
    await panel.state.until(() => statuses().length >= 3);
    assertEquals(statuses().slice(0, 3), [500, 200, 200]);
    const body = JSON.stringify(panel.state.basicInfos.at(-1)?.value);
    assert(!body.includes("kernel_version") && !body.includes("cpu_physical_cores"), body);
    assert(body.includes("cpu_cores"), body);
  }, { args: [...HTTP, "--info-report-interval", "0.1"], fault: panelFault("no-extra-columns") }));
