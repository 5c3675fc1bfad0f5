import { assertEquals, assertRejects } from "@std/assert";
import { type ToolCommand, toolLine, type ToolResult } from "../../lib/host/tool_runner.ts";
import type { Health } from "../../lib/state/health_reader.ts";
import { AgentProcess } from "../../lib/update/agent_process.ts";
import type { AgentService } from "../../lib/update/agent_service.ts";
import { FAKE_PID, FakeProc, statOf } from "./fake_proc.ts";
import { onLinux } from "../only_on.ts";

const PATH = "/opt/x/agent";
const PARENT = FAKE_PID + 1;
const IS_ROOT = Deno.uid() === 0;
const FLAGS = IS_ROOT ? "" : " --user";
const SYSTEM_GROUP = "0::/system.slice/agent.service\n";
const USER_GROUP = "0::/user.slice/user-1.slice/user@1.service/app.slice/agent.service\n";

/** A process that runs the program in the background, started by a shell. */
const IN_BACKGROUND: Readonly<Record<string, string>> = {
  [`${FAKE_PID}/exe`]: PATH,
  [`${FAKE_PID}/fd/0`]: "/dev/null",
  [`${FAKE_PID}/stat`]: statOf(PARENT),
  [`${FAKE_PID}/cgroup`]: "0::/\n",
  [`${PARENT}/comm`]: "sh\n",
  "self/cgroup": "0::/user.slice/session-1.scope\n",
};
const OF_SYSTEMD = { ...IN_BACKGROUND, [`${PARENT}/comm`]: "systemd\n" };
const OF_UNIT = { ...OF_SYSTEMD, [`${FAKE_PID}/cgroup`]: IS_ROOT ? SYSTEM_GROUP : USER_GROUP };
const OF_OTHERS = { ...OF_SYSTEMD, [`${FAKE_PID}/cgroup`]: IS_ROOT ? USER_GROUP : SYSTEM_GROUP };
const ASKED = `systemctl${FLAGS} show --property=MainPID agent.service`;
const RESTART = ["reset-failed agent.service", "restart agent.service"]
  .map((words) => `systemctl --no-ask-password${FLAGS} ${words}`);

/** An agent that such a process is, with what is run for it and the signals that it gets. */
class FakeAgentProcess implements Disposable {
  readonly ran: string[] = [];
  readonly signals: unknown[] = [];
  readonly agent: AgentProcess;
  readonly health: Health;
  /** Called when a signal is sent; the agent has ended then, unless it says otherwise. */
  onSignal: () => Health | undefined = () => undefined;
  readonly #kill = Deno.kill;

  constructor(
    { service, isRunning = true, mainPid = FAKE_PID }: {
      service?: AgentService;
      isRunning?: boolean;
      mainPid?: number;
    } = {},
  ) {
    this.health = {
      ...{ pid: FAKE_PID, version: "1.2.3", intervalMs: 1000, acceptedAtMs: 1, startedAtMs: 0 },
      ...{ panels: [], problems: [], seal: "", isRunning },
    };
    const run = (command: ToolCommand): Promise<ToolResult> => {
      this.ran.push(toolLine(command));
      return Promise.resolve({ code: 0, output: `MainPID=${mainPid}\n` });
    };
    this.agent = new AgentProcess({ path: PATH, folders: [], service, tools: { run } });
    let health: Health | undefined = this.health;
    this.agent.health = () => health;
    Object.assign(Deno, {
      kill: (...sent: unknown[]) => {
        this.signals.push(sent);
        health = this.onSignal();
      },
    });
  }

  [Symbol.dispose](): void {
    Object.assign(Deno, { kill: this.#kill });
  }
}

const never = () => new AbortController().signal;

const REFUSED: Readonly<Record<string, [entries: Record<string, string>, words: string]>> = {
  "at a terminal": [{ ...OF_UNIT, [`${FAKE_PID}/fd/0`]: "/dev/pts/3" }, "at a terminal"],
  "at a console": [{ ...IN_BACKGROUND, [`${FAKE_PID}/fd/0`]: "/dev/console" }, "at a terminal"],
  "at a virtual terminal": [{ ...IN_BACKGROUND, [`${FAKE_PID}/fd/0`]: "/dev/tty1" }, "terminal"],
  "in the service of the update itself": [
    { ...OF_UNIT, "self/cgroup": OF_UNIT[`${FAKE_PID}/cgroup`] ?? "" },
    "from within the agent's own service",
  ],
  "without a service that systemd would restart": [OF_SYSTEMD, "belongs to no service"],
};

for (const [kind, [entries, words]] of Object.entries(REFUSED)) {
  onLinux.test(`AgentProcess.requireRestart() refuses an agent ${kind}`, async () => {
    using _proc = new FakeProc(entries);
    using fake = new FakeAgentProcess();
    const { agent, health } = fake;
    await assertRejects(() => agent.requireRestart(health, never()), Error, words);
    assertEquals([fake.ran, fake.signals], [[], []]);
  });
}

onLinux.test("AgentProcess.restart() restarts the unit whose main process the agent is", async () => {
  using _proc = new FakeProc(OF_UNIT);
  using asked = new FakeAgentProcess();
  await asked.agent.requireRestart(asked.health, never());
  await asked.agent.restart(never());
  assertEquals(asked.ran, [ASKED, ...RESTART], "found once");
  using unasked = new FakeAgentProcess();
  await unasked.agent.restart(never());
  assertEquals([unasked.ran, unasked.signals], [[ASKED, ...RESTART], []]);
  using orphan = new FakeAgentProcess({ mainPid: FAKE_PID + 2 });
  const why = "belongs to no service";
  await assertRejects(() => orphan.agent.requireRestart(orphan.health, never()), Error, why);
});

onLinux.test("AgentProcess.restart() signals an agent whose service is another user's, or none of systemd's", async () => {
  for (const entries of [OF_OTHERS, IN_BACKGROUND]) {
    using _proc = new FakeProc(entries);
    using fake = new FakeAgentProcess();
    await fake.agent.requireRestart(fake.health, never());
    await fake.agent.restart(never());
    assertEquals(fake.signals, [[FAKE_PID, "SIGUSR2"]]);
    assertEquals(fake.ran.filter((line) => !line.includes(" show ")), []);
  }
});

onLinux.test("AgentProcess.requireRestart() asks nobody when the service is known", async () => {
  using _proc = new FakeProc(OF_SYSTEMD);
  using fake = new FakeAgentProcess({ service: { restart: [{ tool: "rc", args: ["x"] }] } });
  await fake.agent.requireRestart(fake.health, never());
  await fake.agent.restart(never());
  assertEquals([fake.ran, fake.signals], [["rc x"], []]);
});

Deno.test("AgentProcess.restart() signals nobody by the number of an agent that has ended", async () => {
  using _proc = new FakeProc(IN_BACKGROUND);
  using fake = new FakeAgentProcess({ isRunning: false });
  assertEquals(await fake.agent.restart(never()), false, "nobody is waited for");
  assertEquals(fake.signals, []);
});

Deno.test("AgentProcess.restart() waits no longer when it is aborted", async () => {
  using _proc = new FakeProc(IN_BACKGROUND);
  using fake = new FakeAgentProcess();
  const user = new AbortController();
  fake.onSignal = () => {
    user.abort(new Error("stopped"));
    return fake.health;
  };
  await assertRejects(() => fake.agent.restart(user.signal), Error, "stopped");
});
