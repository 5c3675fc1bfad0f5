import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import fc from "fast-check";
import { type ToolCommand, toolLine, type ToolResult } from "../../lib/host/tool_runner.ts";
import type { Health } from "../../lib/state/health_reader.ts";
import {
  AgentProcess,
  type AgentService,
  agentService,
  runsProgram,
  serviceNames,
  systemdUnitOf,
} from "../../lib/update/agent_process.ts";
import { VERSION } from "../../lib/version.ts";
import { same, sameLater } from "../cases.ts";
import { writeExecutable } from "../executable.ts";
import { FakeTime } from "../fake_time.ts";
import { onLinux } from "../only_on.ts";
import { replaced } from "../replaced.ts";
import { ARGS, machineOf, NAME } from "../service/fake_system.ts";
import { TempFolder } from "../temp_folder.ts";
import { FAKE_PID, FakeProc, statOf } from "./fake_proc.ts";

const PROGRAM = Deno.realPathSync(Deno.execPath());
const never = () => new AbortController().signal;

const PATH = "/opt/x/agent";
const PARENT = FAKE_PID + 1;
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

/** Services of root and of a user, of which each may restart his own. */
const SERVICES = [
  { uid: 0, group: SYSTEM_GROUP, flags: "" },
  { uid: 1000, group: USER_GROUP, flags: " --user" },
].map(({ uid, group, flags }) => ({
  uid,
  entries: { ...OF_SYSTEMD, [`${FAKE_PID}/cgroup`]: group },
  asked: `systemctl${flags} show --property=MainPID agent.service`,
  restart: ["reset-failed agent.service", "restart agent.service"]
    .map((words) => `systemctl --no-ask-password${flags} ${words}`),
}));

/** An agent that such a process is, with what is run for it and the signals that it gets. */
class FakeAgentProcess implements Disposable {
  readonly ran: string[] = [];
  readonly signals: unknown[] = [];
  readonly agent: AgentProcess;
  readonly health: Health;
  /** Called when a signal is sent; the agent has ended then, unless it says otherwise. */
  onSignal: () => Health | undefined = () => undefined;
  readonly #played = new DisposableStack();

  constructor(
    entries: Readonly<Record<string, string>>,
    { service, isRunning = true, mainPid = FAKE_PID, uid = 0 }: {
      service?: AgentService;
      isRunning?: boolean;
      mainPid?: number;
      uid?: number;
    } = {},
  ) {
    this.#played.use(new FakeProc(entries));
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
    const kill = (...sent: unknown[]) => {
      this.signals.push(sent);
      health = this.onSignal();
    };
    this.#played.use(replaced<object>(Deno, { kill, uid: () => uid }));
  }

  /** Restarts it as an update does, and gives what was run and sent. */
  async restarted(): Promise<[ran: string[], signals: unknown[]]> {
    await this.agent.requireRestart(this.health, never());
    await this.agent.restart(never());
    return [this.ran, this.signals];
  }

  [Symbol.dispose](): void {
    this.#played.dispose();
  }
}

onLinux.test("AgentProcess.requireRestart() refuses an agent that nobody would start again", async () => {
  const input = `${FAKE_PID}/fd/0`;
  const [{ entries: OF_UNIT } = { entries: OF_SYSTEMD }] = SERVICES;
  const own = { ...OF_UNIT, "self/cgroup": SYSTEM_GROUP };
  const refusalOf = async ([entries, mainPid]: readonly [Record<string, string>, number?]) => {
    using fake = new FakeAgentProcess(entries, { mainPid: mainPid ?? FAKE_PID });
    const { agent, health } = fake;
    const error = await agent.requireRestart(health, never()).catch((error: unknown) => error);
    assertEquals(fake.signals, []);
    const words = /at a terminal|from within the agent's own service|belongs to no service/;
    return words.exec(`${error}`)?.[0];
  };
  const at = (device: string) => [{ ...IN_BACKGROUND, [input]: device }] as const;
  await sameLater(refusalOf, [
    [[{ ...OF_UNIT, [input]: "/dev/pts/3" }], "at a terminal"],
    ...["/dev/console", "/dev/tty1"].map((it) => [at(it), "at a terminal"] as const),
    ...["/dev/null", "socket:[7]", "/x/dev/tty"].map((it) => [at(it), undefined] as const),
    [[own], "from within the agent's own service"],
    // Another service, and one whose process a shell has started.
    [[{ ...OF_UNIT, "self/cgroup": "0::/system.slice/other.service\n" }], undefined],
    [[{ ...own, [`${PARENT}/comm`]: "sh\n" }], undefined],
    [[OF_SYSTEMD], "belongs to no service"],
    // An orphan of a service is not its main process.
    [[OF_UNIT, FAKE_PID + 2], "belongs to no service"],
  ]);
});

onLinux.test("AgentProcess.restart() kills an agent that does not end within ten seconds, and gives up in the end", async () => {
  using fake = new FakeAgentProcess(IN_BACKGROUND);
  fake.onSignal = () => fake.health;
  using time = new FakeTime();
  const restarting = fake.agent.restart(never());
  restarting.catch(() => {});
  await time.run(9_900);
  assertEquals(fake.signals, [[FAKE_PID, "SIGUSR2"]]);
  await time.run(10_100);
  assertEquals(fake.signals, [[FAKE_PID, "SIGUSR2"], [FAKE_PID, "SIGKILL"]]);
  await time.run(100);
  await assertRejects(() => restarting, Error, `Cannot stop process ${FAKE_PID}`);
});

onLinux.test("AgentProcess.restart() touches no process of another program, and a service by its manager alone", async () => {
  using other = new FakeAgentProcess({ ...IN_BACKGROUND, [`${FAKE_PID}/exe`]: "/opt/other" });
  const why = `does not run ${PATH}`;
  await assertRejects(() => other.agent.requireRestart(other.health, never()), Error, why);
  await assertRejects(() => other.agent.restart(never()), Error, why);
  assertEquals(other.signals, []);
  const tools = { run: () => Promise.resolve({ code: 5, output: "no such unit" }) };
  const service = { restart: [{ tool: "rc", args: ["x"] }], runtimeFolder: "/nowhere" };
  const failing = new AgentProcess({ path: PATH, folders: ["/none"], service, tools });
  await assertRejects(() => failing.restart(never()), Error, "no such unit");
});

Deno.test("AgentProcess.restart() signals nobody by an old number, and waits no longer when it is aborted", async () => {
  using ended = new FakeAgentProcess(IN_BACKGROUND, { isRunning: false });
  assertEquals(await ended.agent.restart(never()), false, "nobody is waited for");
  assertEquals(ended.signals, []);
  using fake = new FakeAgentProcess(IN_BACKGROUND);
  const user = new AbortController();
  fake.onSignal = () => {
    user.abort(new Error("stopped"));
    return fake.health;
  };
  await assertRejects(() => fake.agent.restart(user.signal), Error, "stopped");
});

Deno.test("agentService() finds the service of a program by its name, and no other", async () => {
  await using fake = machineOf("openrc", {}, { folders: ["srv/agents"] });
  const where = ["--install-dir", "/srv/agents", "--install-service-name", "node-2"];
  await fake.install([...ARGS, "--pin", ...where]);
  const path = Deno.realPathSync(`${fake.root}/srv/agents/node-2`);
  const names = serviceNames(path, NAME);
  assertEquals([names, serviceNames(`/opt/${NAME}`, NAME)], [[NAME, "node-2"], [NAME]]);
  assertEquals(agentService(path, names, fake.system), {
    restart: [{ tool: "rc-service", args: ["node-2", "restart"] }],
    pinned: VERSION,
    runtimeFolder: "/run/node-2",
  });
  assertEquals(agentService(path, [NAME], fake.system), undefined);
  assertEquals(agentService(`${path}-other`, names, fake.system), undefined);
  const record = "/etc/node-2/install.json";
  const text = fake.text(record);
  fake.write("/etc/node-1/install.json", text.replaceAll("/srv/agents/node-2", "/opt/other"));
  assertEquals(agentService(path, ["node-1", "node-2"], fake.system)?.runtimeFolder, "/run/node-2");
  // The record may name a link to it.
  Deno.symlinkSync("agents/node-2", `${fake.root}/srv/link`);
  fake.write(record, text.replaceAll("/srv/agents/node-2", "/srv/link"));
  assertEquals(agentService(path, names, fake.system)?.pinned, VERSION);
  fake.write(record, "{}");
  assertThrows(() => agentService(path, names, fake.system), Error, "Cannot read");
});

onLinux.test("runsProgram() knows a program by its file, and a script among the words", async () => {
  assertEquals(runsProgram(Deno.pid, PROGRAM), true);
  using temp = new TempFolder();
  const folder = Deno.realPathSync(temp.path);
  const path = `${folder}/agent`;
  Deno.copyFileSync("/bin/sleep", path);
  const child = new Deno.Command(path, { args: ["1000"] }).spawn();
  assertEquals(runsProgram(child.pid, path), true);
  writeExecutable(`${path}.new`, "#!/bin/sh\necho there\nread -r word\n");
  Deno.renameSync(`${path}.new`, path);
  assertEquals(runsProgram(child.pid, path), true, "also when another has taken its place");
  assertEquals(runsProgram(child.pid, `${folder}/other`), false);
  child.kill("SIGKILL");
  await child.status;
  assertEquals(runsProgram(child.pid, path), false);

  Deno.symlinkSync(path, `${folder}/link`);
  for (const called of ["./agent", path, "./link"]) {
    const script = new Deno.Command(called, { cwd: folder, stdin: "piped", stdout: "piped" })
      .spawn();
    const reader = script.stdout.getReader();
    await reader.read();
    assertEquals(runsProgram(script.pid, path), true, called);
    assertEquals(runsProgram(script.pid, `${folder}/link`), false);
    await reader.cancel();
    await script.stdin.close();
    await script.status;
  }
});

Deno.test("systemdUnitOf() reads cgroup v1 and v2, and tells a user's service from the manager", async () => {
  const older =
    "12:cpu,cpuacct:/system.slice/cpu.service\n1:name=systemd:/system.slice/agent.service\n0::/\n";
  const of = (text: string) => {
    const unit = systemdUnitOf(text);
    return unit && `${unit.name} ${unit.scope}`;
  };
  await same(of, [
    [SYSTEM_GROUP, "agent.service system"],
    ["0::/machine/libpod-1/system.slice/agent.service/sub\n", "agent.service system"],
    [older, "agent.service system"],
    ["0::/system.slice/system-x.slice/x@a\\x2db.service", "x@a\\x2db.service system"],
    [USER_GROUP, "agent.service user"],
    ["0::/user.slice/user-1000.slice/user@1000.service/init.scope\n", undefined],
    ["", undefined],
    ["0::/\n", undefined],
    ["0::/user.slice/user-0.slice/session-1.scope\n", undefined],
    ["0::/system.slice/run-r1.scope\n", undefined],
    ["2:memory:/system.slice/agent.service\n", undefined],
    ["0::/system.slice/--help;x.service\n", undefined],
    ["agent.service", undefined],
  ]);
  fc.assert(fc.property(fc.string(), (path) => {
    const name = systemdUnitOf(`0::/${path}.service`)?.name;
    assertEquals(name === undefined || /^[\w@:.\\-]+$/.test(name), true);
  }));
});
