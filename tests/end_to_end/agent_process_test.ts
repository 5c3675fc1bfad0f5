import { assertRejects } from "@std/assert";
import { isAlive } from "../exists.ts";
import { eventually, marked, newMark } from "../remote/processes_below.ts";
import { AgentProcess } from "./agent_process.ts";

const program = "/bin/sh";

Deno.test("AgentProcess.ends() ends by force what hangs, and tells what it wrote", async () => {
  const mark = newMark();
  const script = `echo said; sleep ${mark} & wait`;
  await using agent = new AgentProcess(["-c", script], { program });
  await agent.says("said");
  await assertRejects(() => agent.ends({ ms: 1 }), Error, `:\nprocess ${agent.pid}\nsaid\n`);
  await eventually(() => marked(mark).length === 0);
});

Deno.test("AgentProcess waits for ever for nobody who has its output open", async () => {
  const mark = newMark();
  const agent = new AgentProcess(["-c", `echo said; sleep ${mark} &`], { program });
  try {
    await eventually(() => !isAlive(agent.pid));
    await assertRejects(() => agent.ends({ ms: 1 }), Error, "said");
    await agent[Symbol.asyncDispose]();
  } finally {
    for (const { pid } of marked(mark)) Deno.kill(pid, "SIGKILL");
  }
});
