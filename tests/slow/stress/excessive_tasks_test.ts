import { panelFault } from "../../test_panel/faults.ts";
import { assertEquals } from "@std/assert";
import type { WireTask } from "../../../lib/demo/panel_state.ts";
import { openBlackHole } from "./black_hole.ts";
import { runScenarios } from "./stress_scenario.ts";

// A panel that orders more than anybody should, and an agent that is looked at from outside.

const PROBES = 10_000;
/** As many as a list of a MiB can hold: no longer one is read. */
const TASKS = 8_000;
/** Results of probes that were under way when their task was struck off the list. */
const LATE = /task_id is of no task/;
/** Orders over a WebSocket that are taken for certain: 200 at once and 50 a second, no more. */
const TAKEN_ORDERS = 150;
/** For tasks that only make the results of a fault's own orders known. */
const NEVER_S = 1_000_000;
/** Nothing listens there. */
const CLOSED = "127.0.0.1:1";
const CONTROLLED = ["--enable-remote-control", "--exec-timeout", "0.1"];
const OVER_HTTP = ["--protocol-version", "1"];

function tasks(
  type: string,
  target: string,
  { count = PROBES, interval = 1 }: { count?: number; interval?: number } = {},
): WireTask[] {
  return Array.from({ length: count }, (_, index) => ({
    id: index + 1,
    name: "",
    type,
    target,
    interval,
  }));
}

Deno.test("the agent keeps pace and size under orders without measure", async (context) => {
  using hole = await openBlackHole();
  await runScenarios(context, [
    {
      title: "ping-flood",
      violations: LATE,
      fault: panelFault("ping-flood"),
      tasks: tasks("tcp", CLOSED, { interval: NEVER_S }),
      reports: 12,
      occurred: ({ state }) => state.counts.pingResults >= TAKEN_ORDERS,
    },
    {
      title: "ping-black-hole",
      violations: LATE,
      fault: panelFault("ping-black-hole"),
      tasks: tasks("http", "http://127.0.0.1/", { interval: NEVER_S }),
      reports: 12,
      occurred: ({ state }) => state.counts.pingResults >= 32,
    },
    {
      title: "10,000 orders each second",
      violations: LATE,
      tasks: tasks("tcp", CLOSED),
      reports: 12,
      occurred: ({ state }) => state.counts.pingResults >= TAKEN_ORDERS,
    },
    {
      title: "tasks-hostile",
      args: OVER_HTTP,
      fault: panelFault("tasks-hostile"),
      violations: LATE,
      fromTheStart: true,
      reports: 12,
    },
    {
      title: "8,000 tasks of a closed port",
      violations: LATE,
      args: OVER_HTTP,
      tasks: tasks("tcp", CLOSED, { count: TASKS }),
      fromTheStart: true,
      reports: 12,
      occurred: ({ state }) => state.counts.pingResults >= 500,
    },
    {
      title: "8,000 tasks that nothing answers",
      violations: LATE,
      args: OVER_HTTP,
      tasks: tasks("tcp", `127.0.0.1:${hole.port}`, { count: TASKS }),
      fromTheStart: true,
      reports: 12,
      occurred: ({ state }) => state.counts.pingResults >= 32,
    },
    {
      title: "exec-huge",
      args: CONTROLLED,
      fault: panelFault("exec-huge"),
      reports: 12,
      occurred: ({ state }) => (state.commandResults[0]?.value.result.length ?? 0) > 10_000,
    },
    {
      title: "exec-endless",
      args: CONTROLLED,
      fault: panelFault("exec-endless"),
      reports: 16,
      occurred: ({ state }) => state.commandResults[0]?.value.exitCode === 124,
    },
    {
      title: "exec-flood",
      args: CONTROLLED,
      // Each of the first five has a beginning and an end.
      lines: 12,
      fault: panelFault("exec-flood"),
      reports: 16,
      occurred: ({ state }) => state.counts.commandResults === 100,
    },
    {
      title: "exec-flood without remote control",
      fault: panelFault("exec-flood"),
      reports: 12,
      occurred: ({ state }) => {
        const answers = state.commandResults.map(({ value }) => value);
        for (const { result, exitCode } of answers) {
          assertEquals([result, exitCode], ["Remote control is disabled.", -1]);
        }
        return answers.length >= 64;
      },
    },
  ]);
});
