import { assert, assertEquals } from "@std/assert";
import { affects, faults } from "../../lib/demo/fault.ts";
import { panelFault } from "./faults.ts";

Deno.test("panelFault() finds the demo's faults, further ones and attacks", () => {
  assertEquals(panelFault("silence").answerCall, faults.silence.answerCall);
  for (const name of ["silence", "reset", "bomb"] as const) {
    assertEquals(panelFault(name).name, name);
  }
});

Deno.test("panelFault() limits a fault to calls of either version", () => {
  const limited = panelFault("silence", { calls: ["report"] });
  assert(affects(limited, "agent.report") && affects(limited, "POST /api/clients/report"));
  assert(!affects(limited, "agent.pull") && !affects(limited, "upgrade"));
  const tasks = panelFault("silence", { calls: ["task list"] });
  assert(!affects(tasks, "agent.report") && !affects(tasks, "GET /nowhere"));
});

Deno.test("panelFault() leaves a fault's own limits", () => {
  assert(affects(panelFault("bad-tasks"), "GET /api/clients/ping/tasks"));
  assert(!affects(panelFault("bad-tasks"), "agent.report"));
  assert(affects(panelFault("no-extra-columns"), "agent.basicInfo"));
  assert(!affects(panelFault("no-extra-columns"), "agent.report"));
  assert(affects(panelFault("drop-mid-frame"), "upgrade"));
  assert(!affects(panelFault("drop-mid-frame"), "agent.report"));
});

Deno.test("panelFault() sets the delay of a slow panel", () => {
  assertEquals(panelFault("slow").delayMs, 4000);
  assertEquals(panelFault("slow", { delayMs: 5 }).delayMs, 5);
});
