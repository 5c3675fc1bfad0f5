import { assert, assertEquals, assertMatch } from "@std/assert";
import { publicConfig } from "../../lib/config/public_config.ts";
import { PanelError } from "../../lib/panel/panel_error.ts";
import { Programs } from "../../lib/host/programs.ts";
import { RemoteControl, StartupConfigs } from "../../lib/remote/remote_control.ts";
import { VERSION } from "../../lib/version.ts";
import { FakeTime, timed } from "../fake_time.ts";
import { ShellHome } from "../shell_home.ts";
import { StartedProcesses } from "../started_processes.ts";
import { collectedLog } from "../log/collected_log.ts";
import { FakePanel, FakeSender } from "./fake_panel.ts";
import { TerminalSocket } from "./terminal_socket.ts";
import { eventually, marked, newMark } from "./processes_below.ts";
import { TempFolder } from "../temp_folder.ts";
import { restoring } from "../restoring.ts";
import { testsWith } from "../tests_with.ts";
import { onlyIf } from "../only_on.ts";
import { configOf } from "../metrics/config_of.ts";

const started = new StartedProcesses();
const programs = new Programs();
/** Tests that open a terminal. */
const withScript = onlyIf(programs.find("script", Deno.env.get("PATH") ?? "") !== undefined);

const config = configOf(["--interval", "3"]);

/** Remote control of a panel that a test plays, and a look at what it leaves behind. */
class ControlUnderTest implements AsyncDisposable {
  readonly #home = new ShellHome();
  readonly panel = new FakePanel();
  readonly results = this.panel.sender.commandResults;
  readonly sockets = this.panel.opener.byRequest;
  readonly control: RemoteControl;

  constructor(options: { isOff?: boolean } = {}) {
    this.control = new RemoteControl(options.isOff ? undefined : programs, this.panel, config);
  }

  run(taskId: string, command: string): void {
    this.control.handle({ kind: "command", taskId, command });
  }

  open(requestId: string): void {
    this.control.handle({ kind: "terminal", requestId, resumable: false });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    using _ = this.#home;
    await this.control.close();
    await eventually(() => started.children().length === 0);
  }
}

const withControl = testsWith(() => new ControlUnderTest());
const switchedOff = testsWith(() => new ControlUnderTest({ isOff: true }));

Deno.test("RemoteControl.handle() uploads what the command said", async () => {
  using time = new FakeTime({ now: 12345 });
  await using it = new ControlUnderTest();
  it.run("a", "echo hello; exit 3");
  await time.until(eventually(() => it.results.length === 1), { withinMs: 60_000, stepMs: 1 });
  const [{ finishedAt, ...result } = { finishedAt: new Date(0) }] = it.results;
  assertEquals(result, { taskId: "a", output: "hello\n", exitCode: 3 });
  assert(finishedAt.getTime() >= 12345 && finishedAt.getTime() <= Date.now());
  assertEquals(it.results.length, 1);
});

Deno.test("RemoteControl.handle() hides the agent's secrets from commands", async () => {
  // No option, since other tests may run in this process.
  Deno.env.set("AGENT_SECRET_OF_A_TEST", "a-secret");
  try {
    await using it = new ControlUnderTest();
    const { results } = it;
    it.run("a", "env; echo at $PWD");
    await eventually(() => results.length === 1);
    assert(!results[0]?.output.includes("a-secret"));
    assertMatch(results[0]?.output ?? "", /^PATH=/m);
    assertMatch(results[0]?.output ?? "", /^at .*\/komari-agent-deno-\w+$/m);
  } finally {
    Deno.env.delete("AGENT_SECRET_OF_A_TEST");
  }
});

withControl.test("RemoteControl.handle() runs a task once", async (it) => {
  const { results } = it;
  for (let i = 0; i < 5; i++) it.run("a", "echo once");
  it.run("b", "echo twice");
  await eventually(() => results.length === 2);
  it.run("a", "echo once");
  it.run("c", "echo thrice");
  await eventually(() => results.length === 3);
  assertEquals(results.map(({ taskId }) => taskId).sort(), ["a", "b", "c"]);
});

Deno.test("RemoteControl.handle() runs four of a hundred at a time", async () => {
  using folder = new TempFolder();
  await using it = new ControlUnderTest();
  const { results } = it;
  const command =
    `touch ${folder.path}/$$; ls ${folder.path} | wc -l; sleep 0.02; rm ${folder.path}/$$`;
  for (let i = 0; i < 100; i++) it.run(`${i}`, command);
  await eventually(() => results.length === 100);
  const counts = results.map(({ output }) => Number(output));
  assertEquals(Math.max(...counts), 4);
  assertEquals(results.filter(({ exitCode }) => exitCode !== 0), []);
});

Deno.test("RemoteControl.handle() answers at once when too many wait", async () => {
  const mark = newMark();
  await using it = new ControlUnderTest();
  const { results } = it;
  for (let i = 0; i < 1010; i++) it.run(`${i}`, `sleep ${mark}`);
  await eventually(() => results.length === 6);
  for (const { exitCode, output } of results) {
    assertEquals(exitCode, -1);
    assertMatch(output, /too many others wait/);
  }
  await eventually(() => marked(`sleep ${mark}`).length === 4);
  await it.control.close();
  assertEquals(marked(mark), []);
});

Deno.test("RemoteControl.handle() does not hoard commands without measure", async () => {
  const mark = newMark();
  await using it = new ControlUnderTest();
  const { results } = it;
  for (let i = 0; i < 4; i++) it.run(`${i}`, `sleep ${mark}`);
  await eventually(() => marked(`sleep ${mark}`).length === 4);
  const command = "#".repeat(1024 * 1024);
  for (let i = 4; i < 14; i++) it.run(`${i}`, command);
  await eventually(() => results.length === 2);
  for (const { exitCode, output } of results) {
    assertEquals(exitCode, -1);
    assertMatch(output, /too many others wait/);
  }
  assertEquals(marked(`sleep ${mark}`).length, 4);
});

withControl.test("RemoteControl.handle() counts no command as waiting that was run", async (it) => {
  const { results } = it;
  for (let n = 1; n <= 9; n++) {
    it.run(`${n}`, "exit 5\n" + "#".repeat(1024 * 1024));
    await eventually(() => results.length === n);
  }
  assertEquals(results.map(({ exitCode }) => exitCode), Array(9).fill(5));
});

Deno.test("RemoteControl.handle() gives commands the account's home where the agent has none", async () => {
  using _ = restoring(Deno.env, "toObject");
  Deno.env.toObject = () => ({ PATH: Deno.env.get("PATH") ?? "" });
  await using it = new ControlUnderTest();
  it.run("a", '[ "$HOME" = "$PWD" ] && echo at home');
  await eventually(() => it.results.length === 1);
  assertEquals(it.results[0]?.output, "at home\n");
});

withControl.test("RemoteControl.handle() runs all of 300 commands at once, in order, and sends each result", async (it) => {
  const { results } = it;
  using folder = new TempFolder();
  // Results are refused for a while: those that wait may not push others out.
  let refusals = 100;
  it.panel.sender.beforeEach = () => {
    if (refusals-- > 0) throw new PanelError("busy", { failure: "unavailable", status: 503 });
  };
  for (let n = 0; n < 300; n++) it.run(`${n}`, `echo ${n} >> ${folder.path}/order; echo ${n}`);
  await eventually(() => results.length === 300);
  const order = Deno.readTextFileSync(`${folder.path}/order`).trim().split("\n").map(Number);
  // Each starts when at most three older ones have not ended, and those alone can write after it.
  // A busy machine may keep one of four from writing while the other three run many.
  order.forEach((n, at) => {
    const later = order.slice(at + 1).filter((other) => other < n);
    assert(later.length <= 3, `${n} was run before ${later}`);
  });
  assertEquals(new Set(results.map(({ output }) => output.trim())).size, 300);
});

Deno.test("RemoteControl.handle() cuts a result that a panel refuses as too large", async () => {
  const lengths: number[] = [];
  const lines = await collectedLog(async () => {
    await using it = new ControlUnderTest();
    const { sender } = it.panel;
    const tooLarge = new PanelError("Cannot send: status 413", {
      failure: "unavailable",
      status: 413,
    });
    sender.sendCommandResult = ({ output }) => {
      lengths.push(output.length);
      if (output.length > 100_000) return Promise.reject(tooLarge);
      assertMatch(output, /x\n\[134464 more characters were cut off: the panel takes no longer/);
      return Promise.resolve();
    };
    it.run("a", "head -c 200000 /dev/zero | tr '\\0' x");
    await eventually(() => lengths.length === 2);
    sender.sendCommandResult = ({ output }) => {
      lengths.push(output.length);
      return Promise.reject(tooLarge);
    };
    it.run("b", "echo");
    await eventually(() => lengths.length === 3);
    // Only a note gets through.
    const notes: string[] = [];
    sender.sendCommandResult = ({ output, exitCode }) => {
      lengths.push(output.length);
      if (output.length > 400) return Promise.reject(tooLarge);
      notes.push(`${exitCode} ${output}`);
      return Promise.resolve();
    };
    it.run("c", "head -c 65536 /dev/zero | tr '\\0' x; exit 3");
    await eventually(() => notes.length === 1);
    assertMatch(notes[0] ?? "", /^3 \[the output of 65536 characters was left out: the panel/);
  });
  assertEquals(lengths.slice(2, 4), [1, 65_536], "one that fits is not cut");
  assert(lines.some((line) => line.includes("Gave up the result of command b, even the shortest")));
});

timed.test("RemoteControl.handle() cuts a result that makes a panel close the WebSocket with 1009", async (time) => {
  await using it = new ControlUnderTest();
  const lengths: number[] = [];
  let isClosed = false;
  it.panel.sender.sendCommandResult = (result) => {
    lengths.push(result.output.length);
    const closeCode = result.output.length > 100_000 ? 1009 : undefined;
    const options = { failure: "unreachable", closeCode } as const;
    if (closeCode === 1009 || isClosed) {
      // It takes a moment until another one is open.
      isClosed = closeCode === 1009;
      return Promise.reject(new PanelError("Cannot send: the connection is closed", options));
    }
    it.results.push(result);
    return Promise.resolve();
  };
  it.run("a", "head -c 200000 /dev/zero | tr '\\0' x");
  await time.until(eventually(() => it.results.length === 1), { withinMs: 60_000, stepMs: 50 });
  const short = it.results[0]?.output.length ?? 0;
  assertEquals(lengths, [200_000, short, short]);
  assertMatch(it.results[0]?.output ?? "", /more characters were cut off: the panel takes no/);
});

withControl.test("RemoteControl.handle() takes a command with any id", async (it) => {
  const { results } = it;
  const odd = "../../\u0000'; rm -rf \u001b[2J\n{taskId}";
  it.run(odd, "echo good");
  await eventually(() => results.length > 0);
  assertEquals(results.map(({ taskId, output }) => [taskId, output]), [[odd, "good\n"]]);
});

for (const isOff of [false, true]) {
  const state = isOff ? "off" : "on";
  Deno.test(`RemoteControl.handle() never throws, whatever the panel's side does, ${state}`, async () => {
    const lines = await collectedLog(async (lines) => {
      await using it = new ControlUnderTest({ isOff });
      const broken = () => {
        throw new Error("broken");
      };
      it.panel.sender.beforeEach = it.panel.opener.dial = broken;
      it.run("a", "true");
      it.open("b");
      await eventually(() => lines.some((line) => line.includes("Cannot send")));
    });
    assert(lines.some((line) => line.includes("of command a yet: broken")), lines.join("\n"));
  });
}

Deno.test("RemoteControl.handle() logs start and end, and the command only at debug", async () => {
  for (const level of ["info", "debug"] as const) {
    const lines = await collectedLog(async () => {
      await using it = new ControlUnderTest();
      const { results } = it;
      it.run("task 1", "echo password; exit 2");
      await eventually(() => results.length === 1);
    }, { level });
    assert(lines.some((line) => /info +remote: Command task 1 starts$/.test(line)));
    assert(lines.some((line) => /task 1 ended after \d+\.\d s with exit code 2$/.test(line)));
    assertEquals(lines.some((line) => line.includes("password")), level === "debug");
  }
});

Deno.test("RemoteControl.handle() logs few of many commands, and that it does", async () => {
  const lines = await collectedLog(async () => {
    await using it = new ControlUnderTest();
    const { results } = it;
    for (let n = 0; n < 20; n++) it.run(`${n}`, "true");
    await eventually(() => results.length === 20);
  });
  assertEquals(lines.filter((line) => line.includes(" starts")).length, 2);
  assertEquals(lines.filter((line) => line.includes(" ended after")).length, 2);
  assertEquals(lines.filter((line) => /warning remote: .*many commands/.test(line)).length, 1);
  assertEquals(lines.length, 5, lines.join("\n"));
});

Deno.test("RemoteControl refuses ten thousand requests when it is off, and keeps calm", async () => {
  const dialled: TerminalSocket[] = [];
  const gate = Promise.withResolvers<void>();
  const lines = await collectedLog(async () => {
    await using it = new ControlUnderTest({ isOff: true });
    it.panel.sender.beforeEach = () => gate.promise;
    it.panel.opener.dial = async () => {
      const socket = new TerminalSocket();
      dialled.push(socket);
      await gate.promise;
      return socket;
    };
    for (let i = 0; i < 10_000; i++) {
      it.run(`${i}`, "echo bad");
      it.open(`${i}`);
    }
    await eventually(() => dialled.length === 4);
    gate.resolve();
    await eventually(() => it.results.length === 1000);
    await eventually(() => dialled.length === 68 && dialled.every((it) => it.isClosed));
    for (const { output, exitCode } of it.results) {
      assertEquals({ output, exitCode }, { output: "Remote control is disabled.", exitCode: -1 });
    }
  });
  for (const { text } of dialled) {
    assertMatch(text, /^Remote control is disabled\. .*--enable-remote-control\.\r\n$/);
  }
  assertEquals(lines.length, 4, lines.join("\n"));
  for (const line of lines) assertMatch(line, / warning remote: (Refused|The panel (sends|asks))/);
});

switchedOff.test("RemoteControl gives up a refusal that nobody reads", async (it) => {
  it.panel.opener.dial = () => {
    const socket = new TerminalSocket();
    socket.stuck = true;
    return socket;
  };
  it.open("a");
  await eventually(() => it.sockets.get("a")?.isClosed === true);
});

withScript.test("RemoteControl.handle() opens four terminals, and tells the fifth why not", async () => {
  await using it = new ControlUnderTest();
  const { sockets } = it;
  for (const id of ["1", "1", "2", "3", "4", "5"]) {
    it.open(id);
  }
  await eventually(() => sockets.get("5")?.isClosed === true);
  assertMatch(sockets.get("5")?.text ?? "", /^Cannot open a terminal: 4 are open already/);
  for (const id of ["1", "2", "3", "4"]) {
    sockets.get(id)?.type("echo he''re\r");
    await eventually(() => sockets.get(id)?.text.includes("here") === true);
  }
  assertEquals(sockets.size, 5);
  sockets.get("1")?.close();
  let next = 6;
  await eventually(() => {
    it.open(`${next++}`);
    return [...sockets.values()].slice(5).some((socket) => !socket.isClosed);
  });
});

withScript.test("RemoteControl.close() ends commands and terminals with all that they have started", async () => {
  const mark = newMark();
  const lines = await collectedLog(async (lines) => {
    await using it = new ControlUnderTest();
    const { sockets } = it;
    const command = `trap '' TERM HUP; sleep ${mark} & sleep ${mark}`;
    for (let i = 0; i < 8; i++) it.run(`${i}`, command);
    it.open("t");
    await eventually(() => sockets.size === 1);
    sockets.get("t")?.type(`${command}\r`);
    await eventually(() => marked(`sleep ${mark}`).length === 10);
    await it.control.close();
    // On a busy machine it waits no longer than 3 s, and goes on.
    await eventually(() => marked(mark).length === 0);
    await eventually(() => lines.some((line) => line.includes("Terminal t ended")));
    await eventually(() => lines.filter((line) => line.includes("was aborted")).length === 4);
    assertEquals(sockets.get("t")?.isClosed, true);
    it.run("late", "echo late");
    it.open("late");
  }, { level: "debug" });
  assert(lines.some((line) => /Terminal t ended after .*: the agent ends$/.test(line)));
  assertEquals(lines.filter((line) => line.includes("was aborted")).length, 4);
  assert(!lines.some((line) => line.includes("late")));
});

withControl.test("RemoteControl.close() sends a result for each command that waits or runs", async (it) => {
  for (let i = 0; i < 100; i++) it.run(`${i}`, "sleep 1000");
  await eventually(() => started.children().length === 4);
  await it.control.close();
  await eventually(() => it.results.length === 100);
  const outputs = it.results.map(({ output }) => output);
  const count = (text: string) => outputs.filter((output) => output === text).length;
  assertEquals(count("The agent stopped before the command ended."), 4);
  assertEquals(count("The agent stopped before the command ran."), 96);
  assert(it.results.every(({ exitCode }) => exitCode === -1));
});

withControl.test("RemoteControl.close() lets a result arrive that is on its way", async (it) => {
  const sending = Promise.withResolvers<void>();
  it.panel.sender.sendCommandResult = async (result, signal) => {
    sending.resolve();
    await new Promise((turn) => setTimeout(turn, 0));
    signal.throwIfAborted();
    it.results.push(result);
  };
  it.run("a", "true");
  await sending.promise;
  await it.control.close();
  assertEquals(it.results.length, 1);
});

timed.test("RemoteControl.close() waits no longer than 3 s for what never ends", async (time) => {
  const uploading = Promise.withResolvers<void>();
  const it = new ControlUnderTest();
  it.panel.sender.beforeEach = () => {
    uploading.resolve();
    return new Promise(() => {});
  };
  it.panel.opener.dial = () => new Promise(() => {});
  it.open("a");
  it.run("b", "true");
  await time.until(uploading.promise, { withinMs: 60_000, stepMs: 1 });
  assertEquals(await time.until(it.control.close(), { withinMs: 10_000, stepMs: 50 }), 3_050);
});

Deno.test("RemoteControl.close() closes a connection that comes about too late", async () => {
  const socket = new TerminalSocket();
  const { promise, resolve } = Promise.withResolvers<TerminalSocket>();
  await using it = new ControlUnderTest();
  it.panel.opener.dial = () => promise;
  it.open("a");
  await Promise.resolve();
  await it.control.close();
  resolve(socket);
  await eventually(() => socket.isClosed);
});

switchedOff.test("RemoteControl.handle() sends the configuration once for each request", async (it) => {
  for (const requestId of ["a", "a", "b", "a"]) {
    it.control.handle({ kind: "startup config", requestId });
  }
  const { startupConfigs } = it.panel.sender;
  await eventually(() => startupConfigs.length === 2);
  const shown = { version: VERSION, ...publicConfig(config) };
  assertEquals(startupConfigs, [
    { requestId: "a", config: shown },
    { requestId: "b", config: shown },
  ]);
  assertEquals(startupConfigs[0]?.config["interval"], 3);
});

timed.test("RemoteControl ends a command after as many minutes as were configured", async (time) => {
  const mark = newMark();
  await using it = new ControlUnderTest();
  it.run("a", `sleep ${mark}`);
  const runs = eventually(() => marked(`sleep ${mark}`).length === 1);
  await time.until(runs, { withinMs: 60_000, stepMs: 1 });
  const { execTimeoutMinutes } = config;
  await time.pass((execTimeoutMinutes - 1) * 60_000, { stepMs: 600_000 });
  assertEquals(it.results, []);
  const ended = eventually(() => it.results.length === 1);
  await time.until(ended, { withinMs: 3 * 60_000, stepMs: 1_000 });
  const note = `[ended after ${execTimeoutMinutes * 60} s: the command took too long]`;
  assertEquals(it.results[0]?.output, note);
});

withScript.test("RemoteControl ends a terminal after as many minutes without a key as were configured", async () => {
  using time = new FakeTime();
  await using it = new ControlUnderTest();
  it.open("t");
  const opened = eventually(() => it.sockets.get("t")?.text.endsWith(" ") === true);
  await time.until(opened, { withinMs: 60_000, stepMs: 1 });
  const { terminalIdleMinutes } = config;
  await time.pass((terminalIdleMinutes - 1) * 60_000, { stepMs: 60_000 });
  assertEquals(it.sockets.get("t")?.isClosed, false);
  const closed = eventually(() => it.sockets.get("t")?.isClosed === true);
  await time.until(closed, { withinMs: 3 * 60_000, stepMs: 1_000 });
  const idle = `no key was pressed for ${terminalIdleMinutes} minutes`;
  assert(it.sockets.get("t")?.text.includes(`The terminal is closed: ${idle}`));
  await time.until(it.control.close(), { withinMs: 1_000, stepMs: 1 });
});

/** Starts nothing at all. */
class NoPrograms extends Programs {
  override start(): Deno.ChildProcess {
    throw new Error("nothing may be started");
  }
  override run(): Promise<boolean> {
    throw new Error("nothing may be started");
  }
}

Deno.test("RemoteControl tells the first order that it refuses, where it is off", async () => {
  for (const programs of [undefined, new Programs()]) {
    const seen: unknown[] = [];
    const observer = { setProblem: (...problem: unknown[]) => void seen.push(problem) };
    const control = new RemoteControl(programs, new FakePanel(), config, observer);
    control.handle({ kind: "startup config", requestId: "1" });
    control.handle({ kind: "file", requestId: "2", op: "list_roots", args: {} });
    control.handle({ kind: "file", requestId: "3", op: "list_roots", args: {} });
    await control.close();
    assertEquals(
      seen,
      programs === undefined ? [["remote", "a file request of the panel was refused"]] : [],
    );
  }
});

Deno.test("RemoteControl refuses files with --disable-remote-files, and updates of sources", async () => {
  const panel = new FakePanel();
  const lines = await collectedLog(async () => {
    const control = new RemoteControl(
      new NoPrograms(),
      panel,
      configOf(["--enable-remote-control", "--disable-remote-files"]),
    );
    control.handle({ kind: "file", requestId: "1", op: "list_roots", args: {} });
    control.handle({ kind: "switch version", version: "latest" });
    await eventually(() => panel.sender.fileResults.length === 1);
    await control.close();
  });
  assertEquals(panel.sender.fileResults[0]?.error, "web control is disabled");
  assert(lines.some((line) => line.endsWith("--disable-remote-files is set")), lines.join("\n"));
  const refusal = 'Refused to switch to version "latest": this program runs from its sources';
  assert(lines.some((line) => line.endsWith(refusal)), lines.join("\n"));
});

Deno.test("RemoteControl refuses an older version for its age, unless --allow-downgrade is set", async () => {
  const table: [flags: string[], refusal: string][] = [
    [[], `${VERSION} is installed, and --allow-downgrade is not set`],
    [["--allow-downgrade"], "this program runs from its sources"],
  ];
  for (const [flags, refusal] of table) {
    const lines = await collectedLog(async () => {
      const control = new RemoteControl(
        new NoPrograms(),
        new FakePanel(),
        configOf(["--enable-remote-control", ...flags]),
      );
      control.handle({ kind: "switch version", version: "0.0.1" });
      await control.close();
    });
    const line = `Refused to switch to version "0.0.1": ${refusal}`;
    assert(lines.some((it) => it.endsWith(line)), lines.join("\n"));
  }
});

/** The requests that are answered when the panel takes no answer for so long. */
async function configsAfter(outageMs: number): Promise<string[]> {
  using time = new FakeTime();
  const sender = new FakeSender();
  sender.beforeEach = () => {
    if (performance.now() < outageMs) throw new Error("the panel is away");
  };
  const configs = new StartupConfigs(sender, configOf());
  configs.handle({ kind: "startup config", requestId: "a" });
  await time.run(10 * 60_000);
  await configs.close();
  return sender.startupConfigs.map(({ requestId }) => requestId);
}

Deno.test("StartupConfigs.handle() tries for 20 s to send the configuration", async () => {
  assertEquals(await configsAfter(10_000), ["a"]);
  assertEquals(await configsAfter(60_000), []);
});

Deno.test("StartupConfigs.close() tries no more to send the configuration", async () => {
  using time = new FakeTime();
  const sender = new FakeSender();
  sender.beforeEach = () => Promise.reject(new Error("the panel is away"));
  const configs = new StartupConfigs(sender, configOf());
  configs.handle({ kind: "startup config", requestId: "a" });
  await time.run(100);
  assertEquals(time.timers, 1);
  await configs.close();
  assertEquals(time.timers, 0);
});
