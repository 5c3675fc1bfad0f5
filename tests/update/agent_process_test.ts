import { assert, assertEquals, assertRejects } from "@std/assert";
import { delay } from "@std/async/delay";
import { attempt } from "../../lib/attempt.ts";
import { AgentProcess } from "../../lib/update/agent_process.ts";
import { toolLine } from "../../lib/host/tool_runner.ts";
import type { Health } from "../../lib/state/health_reader.ts";
import { FakeTime, realTurn } from "../fake_time.ts";
import { realDeadline } from "../real_deadline.ts";
import { replaced } from "../replaced.ts";
import { TempFolder } from "../temp_folder.ts";
import { onLinux } from "../only_on.ts";
import { testsWith } from "../tests_with.ts";

const HOLDER = new URL("health_process.ts", import.meta.url).pathname;
const PROGRAM = Deno.realPathSync(Deno.execPath());
const NO_TOOLS = { run: () => Promise.resolve({ code: 127, output: "" }) };
const never = () => new AbortController().signal;

/** The agent of a program that has its health file in the folder, and no service. */
function agentIn(folder: string, { path = PROGRAM } = {}): AgentProcess {
  return new AgentProcess({ path, folders: [folder], service: undefined, tools: NO_TOOLS });
}

/** A process that passes for an agent, in a folder of its own. */
class Impostor implements AsyncDisposable {
  readonly #folder = new TempFolder();
  readonly folder = this.#folder.path;
  readonly child: Deno.ChildProcess = new Deno.Command(PROGRAM, {
    args: ["run", "-A", "--no-prompt", "--no-check", HOLDER, this.folder],
    stdin: "null",
  }).spawn();

  static async start(): Promise<Impostor> {
    const impostor = new Impostor();
    const agent = agentIn(impostor.folder);
    await realDeadline((async () => {
      while (agent.health()?.acceptedAtMs === undefined) await delay(20);
    })());
    return impostor;
  }

  /** The agent that this process seems to be, and its health. */
  get agent(): { agent: AgentProcess; health: Health } {
    const agent = agentIn(this.folder);
    const health = agent.health();
    assert(health !== undefined);
    return { agent, health };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // It may have ended.
    attempt(() => this.child.kill("SIGKILL"));
    await this.child.status;
    this.#folder[Symbol.dispose]();
  }
}

const withImpostor = testsWith(() => Impostor.start());

withImpostor.test("AgentProcess.health() is that of the service's agent, where another one runs", async (ofService) => {
  await using other = await Impostor.start();
  const service = { restart: [], runtimeFolder: ofService.folder };
  const folders = [other.folder];
  const agent = new AgentProcess({ path: PROGRAM, folders, service, tools: NO_TOOLS });
  assertEquals(agent.health()?.pid, ofService.child.pid);
});

withImpostor.test("AgentProcess.restart() ends the agent with the restart code and waits", async (impostor) => {
  const { agent, health } = impostor.agent;
  await agent.requireRestart(health, never());
  await agent.restart(never());
  assertEquals(agent.health(), undefined);
  assertEquals((await impostor.child.status).code, 75);
  await agent.restart(never());
});

onLinux.test("AgentProcess.restart() signals no process of another program", async () => {
  await using impostor = await Impostor.start();
  const { health } = impostor.agent;
  const agent = agentIn(impostor.folder, { path: "/opt/x" });
  const why = "does not run /opt/x";
  await assertRejects(() => agent.requireRestart(health, never()), Error, why);
  await assertRejects(() => agent.restart(never()), Error, why);
  assertEquals(agent.health()?.isRunning, true);
});

withImpostor.test("AgentProcess.restart() uses the service manager when a service is known", async (impostor) => {
  const { folder } = impostor;
  const ran: string[] = [];
  let code = 0;
  const agent = new AgentProcess({
    ...{ path: PROGRAM, folders: ["/nowhere"] },
    service: { restart: [{ tool: "systemctl", args: ["restart", "x"] }], runtimeFolder: folder },
    tools: {
      run(command) {
        ran.push(toolLine(command));
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

withImpostor.test("AgentProcess.restart() kills an agent that does not end within ten seconds", async (impostor) => {
  const { agent } = impostor.agent;
  impostor.child.kill("SIGSTOP");
  using time = new FakeTime();
  const restarting = agent.restart(never());
  await time.run(9_900);
  assertEquals(agent.health()?.isRunning, true);
  await time.run(100);
  assertEquals((await impostor.child.status).signal, "SIGKILL");
  while (agent.health()?.isRunning) await realTurn();
  await time.run(100);
  await restarting;
});

withImpostor.test("AgentProcess.restart() gives up on an agent that can't be killed", async (impostor) => {
  const { agent, health } = impostor.agent;
  const { pid } = impostor.child;
  agent.health = () => health;
  const signals: unknown[] = [];
  {
    using _unheard = replaced(Deno, { kill: (...sent) => void signals.push(sent) });
    using time = new FakeTime();
    const restarting = agent.restart(never());
    restarting.catch(() => {});
    await time.run(20_000);
    assertEquals(signals, [[pid, "SIGUSR2"], [pid, "SIGKILL"]]);
    await time.run(100);
    await assertRejects(() => restarting, Error, `Cannot stop process ${pid}`);
  }
});
