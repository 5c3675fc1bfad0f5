import { type FaultName, panelFault } from "../../test_panel/faults.ts";
import { runScenarios, type StressScenario } from "./stress_scenario.ts";

// A panel, or a proxy before it, that says what nobody should, says nothing or hangs up.

/** So long a WebSocket may be mute before it is given up. */
const SILENCE_MS = 10_000;

/** What comes over WebSockets alone, while POST works. */
function overSockets(name: FaultName): StressScenario {
  return {
    title: `${name} over WebSockets`,
    fault: panelFault(name, { calls: ["upgrade"] }),
    reports: 12,
    lines: 10,
  };
}

/** What comes as the answer to every call, so that no report gets through by POST. */
function everywhere(name: FaultName): StressScenario {
  return {
    title: `${name} everywhere`,
    fault: panelFault(name),
    reports: 4,
    lines: 12,
    gapMs: 4000,
  };
}

Deno.test("the agent withstands a panel that is huge, malformed, refusing, mute or cut off", async (context) => {
  await runScenarios(context, [
    overSockets("huge-message"),
    overSockets("bomb"),
    // Whether the panel reads a report before the agent closes the connection is chance.
    { ...everywhere("huge-message"), reports: 0, gapMs: 6000 },
    everywhere("garbage-message"),
    everywhere("deep-message"),
    {
      title: "a task list of 64 MiB",
      args: ["--protocol-version", "1"],
      fault: panelFault("huge-message", { calls: ["task list"] }),
      fromTheStart: true,
      reports: 12,
    },
    { title: "websocket-refused", fault: panelFault("websocket-refused"), reports: 12 },
    { title: "mute", fault: panelFault("mute"), reports: 8, gapMs: SILENCE_MS + 2000 },
    { title: "silence", fault: panelFault("silence"), reports: 0, gapMs: SILENCE_MS + 4000 },
    { title: "reset", fault: panelFault("reset"), reports: 0, gapMs: 6000 },
  ]);
});
