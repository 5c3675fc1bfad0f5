import { assert, assertEquals, assertRejects } from "@std/assert";
import { AgentProcess } from "../../lib/update/agent_process.ts";
import { FakeTime, realTurn } from "../fake_time.ts";

const HOLDER = new URL("health_process.ts", import.meta.url).pathname;
const PROGRAM = Deno.realPathSync(Deno.execPath());
const NO_TOOLS = { run: () => Promise.resolve({ code: 127, output: "" }) };
const never = () => new AbortController().signal;

/** The agent of a program that has its health file in the folder, and no service. */
function agentIn(folder: string, { path = PROGRAM } = {}): AgentProcess {
  return new AgentProcess({ path, folders: [folder], service: undefined, tools: NO_TOOLS });
}

/** A process that passes for an agent, in a folder of its own. */
async function withAgent(
  use: (folder: string, child: Deno.ChildProcess) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  const child = new Deno.Command(PROGRAM, {
    args: ["run", "-A", "--no-prompt", "--no-check", HOLDER, folder],
    stdin: "null",
  }).spawn();
  try {
    const agent = agentIn(folder);
    const end = performance.now() + 20_000;
    while (agent.health()?.acceptedAtMs === undefined) {
      assert(performance.now() < end, "it never came up");
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await use(folder, child);
  } finally {
    try {
      child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await child.status;
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("AgentProcess.health() is that of the service's agent, where another one runs", async () => {
  await withAgent((ofService, child) =>
    withAgent((other) => {
      const service = { restart: [], runtimeFolder: ofService };
      const agent = new AgentProcess({
        ...{ path: PROGRAM, folders: [other], service, tools: NO_TOOLS },
      });
      assertEquals(agent.health()?.pid, child.pid);
      return Promise.resolve();
    })
  );
});

Deno.test("AgentProcess.restart() ends the agent with the restart code and waits", async () => {
  await withAgent(async (folder, child) => {
    const agent = agentIn(folder);
    const health = agent.health();
    assert(health !== undefined);
    await agent.requireRestart(health, never());
    await agent.restart(never());
    assertEquals(agent.health(), undefined);
    assertEquals((await child.status).code, 75);
    await agent.restart(never());
  });
});

Deno.test({
  name: "AgentProcess.restart() signals no process of another program",
  ignore: Deno.build.os !== "linux",
  fn: () =>
    withAgent(async (folder) => {
      const agent = agentIn(folder, { path: "/opt/x" });
      const health = agent.health();
      assert(health !== undefined);
      await assertRejects(
        () => agent.requireRestart(health, never()),
        Error,
        "does not run /opt/x",
      );
      await assertRejects(() => agent.restart(never()), Error, "it does not run /opt/x");
      assertEquals(agent.health()?.isRunning, true);
    }),
});

Deno.test("AgentProcess.restart() uses the service manager when a service is known", async () => {
  await withAgent(async (folder) => {
    const ran: string[] = [];
    let code = 0;
    const agent = new AgentProcess({
      path: PROGRAM,
      folders: ["/nowhere"],
      service: {
        restart: [{ tool: "systemctl", args: ["restart", "x"] }],
        runtimeFolder: folder,
      },
      tools: {
        run({ tool, args }) {
          ran.push([tool, ...args].join(" "));
          return Promise.resolve({ code, output: "no such unit" });
        },
      },
    });
    const service = { restart: [], runtimeFolder: "/nowhere" };
    const other = new AgentProcess({ path: PROGRAM, folders: [folder], service, tools: NO_TOOLS });
    assertEquals(other.health()?.isRunning, true, "its health file may be where it was before");
    await agent.restart(never());
    code = 5;
    await assertRejects(() => agent.restart(never()), Error, "no such unit");
    assertEquals(ran, ["systemctl restart x", "systemctl restart x"]);
    assertEquals(agent.health()?.isRunning, true);
  });
});

Deno.test("AgentProcess.restart() kills an agent that does not end within ten seconds", async () => {
  await withAgent(async (folder, child) => {
    const agent = agentIn(folder);
    child.kill("SIGSTOP");
    using time = new FakeTime();
    const restarting = agent.restart(never());
    await time.run(9_900);
    assertEquals(agent.health()?.isRunning, true);
    await time.run(100);
    assertEquals((await child.status).signal, "SIGKILL");
    while (agent.health()?.isRunning) await realTurn();
    await time.run(100);
    await restarting;
  });
});

Deno.test("AgentProcess.restart() gives up on an agent that can't be killed", async () => {
  await withAgent(async (folder, child) => {
    const agent = agentIn(folder);
    const health = agent.health();
    assert(health !== undefined);
    agent.health = () => health;
    const { kill } = Deno;
    const signals: unknown[] = [];
    Object.assign(Deno, { kill: (...sent: unknown[]) => void signals.push(sent) });
    using time = new FakeTime();
    try {
      const restarting = agent.restart(never());
      restarting.catch(() => {});
      await time.run(20_000);
      assertEquals(signals, [[child.pid, "SIGUSR2"], [child.pid, "SIGKILL"]]);
      await time.run(100);
      await assertRejects(() => restarting, Error, `Cannot stop process ${child.pid}`);
    } finally {
      Object.assign(Deno, { kill });
    }
  });
});
