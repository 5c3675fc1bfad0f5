import { assert, assertEquals, assertMatch } from "@std/assert";
import { publicConfig } from "../../lib/config/public_config.ts";
import { Programs } from "../../lib/host/programs.ts";
import { RemoteControl } from "../../lib/remote/remote_control.ts";
import { VERSION } from "../../lib/version.ts";
import { FakeTime, timed } from "../fake_time.ts";
import { ShellHome } from "../shell_home.ts";
import { StartedProcesses } from "../started_processes.ts";
import { collectedLog } from "../log/collected_log.ts";
import { FakePanel } from "./fake_panel.ts";
import { TerminalSocket } from "./terminal_socket.ts";
import { eventually, marked, newMark } from "./processes_below.ts";
import { TempFolder } from "../temp_folder.ts";
import { restoring } from "../restoring.ts";
import { testsWith } from "../tests_with.ts";
import { configOf } from "../metrics/config_of.ts";

const started = new StartedProcesses();
const programs = new Programs();
const hasScript = programs.find("script", Deno.env.get("PATH") ?? "") !== undefined;

const CONFIG = configOf(["--interval", "3"]);

/** Remote control of a panel that a test plays, and a look at what it leaves behind. */
class ControlUnderTest implements AsyncDisposable {
  readonly #home = new ShellHome();
  readonly panel = new FakePanel();
  readonly results = this.panel.sender.commandResults;
  readonly sockets = this.panel.opener.byRequest;
  readonly control: RemoteControl;

  constructor({ isOff = false, config = CONFIG } = {}) {
    this.control = new RemoteControl(isOff ? undefined : programs, this.panel, config);
  }

  run(taskId: string, command: string): void {
    this.control.handle({ kind: "command", taskId, command });
  }

  /** Waits for so many results. */
  async has(count: number): Promise<typeof this.results> {
    await eventually(() => this.results.length === count);
    return this.results;
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
/** Tests that open a terminal, too. */
const withTerminals = testsWith(() => new ControlUnderTest(), { ignore: !hasScript });

/** What such a control logs. */
function logOf(
  act: (it: ControlUnderTest, lines: readonly string[]) => Promise<unknown>,
  { isOff = false, level = "info" as "info" | "debug" } = {},
): Promise<string[]> {
  return collectedLog(async (lines) => {
    await using it = new ControlUnderTest({ isOff });
    await act(it, lines);
  }, { level });
}

/** Asserts that a line ends so. */
function assertLogged(lines: readonly string[], end: string | RegExp): void {
  const is = (line: string) => typeof end === "string" ? line.endsWith(end) : end.test(line);
  assert(lines.some(is), lines.join("\n"));
}

withControl.test("RemoteControl.handle() gives commands the account's home, and no secret of the agent", async (it) => {
  using _ = restoring(Deno.env, "toObject");
  Deno.env.toObject = () => ({ PATH: Deno.env.get("PATH") ?? "", AGENT_TOKEN: "a-secret" });
  it.run("a", 'env; [ "$HOME" = "$PWD" ] && echo at home');
  const [{ output } = { output: "" }] = await it.has(1);
  assert(!output.includes("a-secret"));
  assertMatch(output, /^PATH=.*(?:\n.*)*\nat home\n$/m);
});

withControl.test("RemoteControl.handle() runs a task once, whatever its id is", async (it) => {
  const odd = "../../\u0000'; rm -rf \u001b[2J\n{taskId}";
  for (const id of ["a", "a", "a", odd]) it.run(id, "echo good");
  await it.has(2);
  for (const id of ["a", odd, "c"]) it.run(id, "echo good");
  const seen = (await it.has(3)).map(({ taskId, output }) => `${taskId}: ${output}`);
  assertEquals(seen.sort(), [odd, "a", "c"].map((id) => `${id}: good\n`));
});

withControl.test("RemoteControl.handle() runs 64 of a hundred at a time", async (it) => {
  using folder = new TempFolder();
  const running = () => [...Deno.readDirSync(folder.path)].length;
  for (let i = 0; i < 100; i++) {
    it.run(`${i}`, `touch ${folder.path}/$$; until [ -e ${folder.path}/go ]; do sleep 0.05; done`);
  }
  await eventually(() => running() === 64);
  assertEquals(started.children().length, 64);
  Deno.writeTextFileSync(`${folder.path}/go`, "");
  await it.has(100);
});

Deno.test("RemoteControl.handle() answers at once when too many wait, or too much", async () => {
  for (
    const [count, text, refused] of [[1030, "", 7], [18, "#".repeat(2 ** 20), 3]] as const
  ) {
    await using it = new ControlUnderTest();
    for (let i = 0; i < count; i++) it.run(`${i}`, `sleep 1000\n${text}`);
    const results = it.results.slice();
    for (const { exitCode, output } of results.length > 0 ? results : await it.has(refused)) {
      assertEquals(exitCode, -1);
      assertMatch(output, /too many others wait/);
    }
    assertEquals(it.results.length, refused);
  }
});

withControl.test("RemoteControl.handle() counts no command as waiting that was run", async (it) => {
  for (let n = 1; n <= 5; n++) {
    it.run(`${n}`, "exit 5\n" + "#".repeat(4_000_000));
    await it.has(n);
  }
  assertEquals(it.results.map(({ exitCode }) => exitCode), Array(5).fill(5));
});

Deno.test("RemoteControl.handle() never throws, whatever the panel's side does, on or off", async () => {
  for (const isOff of [false, true]) {
    const lines = await logOf(async (it, lines) => {
      it.panel.sender.beforeEach = it.panel.opener.dial = () => {
        throw new Error("broken");
      };
      it.run("a", "true");
      it.open("b");
      await eventually(() => lines.some((line) => line.includes("Cannot send")));
    }, { isOff });
    assertLogged(lines, /of command a yet: broken/);
  }
});

Deno.test("RemoteControl.handle() logs start and end, the command only at debug, and few of many", async () => {
  for (const level of ["info", "debug"] as const) {
    const lines = await logOf(async (it) => {
      it.run("task 1", "echo password; exit 2");
      await it.has(1);
    }, { level });
    assertLogged(lines, /info +remote: Command task 1 starts$/);
    assertLogged(lines, /task 1 ended after \d+\.\d s with exit code 2$/);
    assertEquals(lines.some((line) => line.includes("password")), level === "debug");
  }
  const lines = await logOf(async (it) => {
    for (let n = 0; n < 20; n++) it.run(`${n}`, "true");
    await it.has(20);
  });
  const kinds = [/ starts/, / ended after/, /warning remote: .*many commands/];
  const counts = kinds.map((kind) => lines.filter((line) => kind.test(line)).length);
  assertEquals([...counts, lines.length], [2, 2, 1, 5], lines.join("\n"));
});

Deno.test("RemoteControl refuses ten thousand requests when it is off, and keeps calm, also where nobody reads one", async () => {
  const dialled: TerminalSocket[] = [];
  const gate = Promise.withResolvers<void>();
  const lines = await logOf(async (it) => {
    it.panel.sender.beforeEach = () => gate.promise;
    it.panel.opener.dial = async () => {
      const socket = new TerminalSocket();
      socket.stuck = dialled.push(socket) === 1;
      await gate.promise;
      return socket;
    };
    for (let i = 0; i < 10_000; i++) {
      it.run(`${i}`, "echo bad");
      it.open(`${i}`);
    }
    await eventually(() => dialled.length === 64);
    gate.resolve();
    await it.has(1000);
    await eventually(() => dialled.every((it) => it.isClosed));
    for (const { output, exitCode } of it.results) {
      assertEquals([output, exitCode], ["Remote control is disabled.", -1]);
    }
  }, { isOff: true });
  for (const { text } of dialled.slice(1)) {
    assertMatch(text, /^Remote control is disabled\. .*--enable-remote-control\.\r\n$/);
  }
  const refusals = ["a command of the panel was refused", "a terminal of the panel was refused"];
  assertEquals(lines.map((line) => line.split(/: | \u2192 /)[2]), refusals);
});

withTerminals.test("RemoteControl.handle() opens 32 terminals, and tells the next why not", async (it) => {
  const { sockets } = it;
  for (let id = 1; id <= 33; id++) it.open(`${id}`);
  it.open("1");
  await eventually(() => sockets.get("33")?.isClosed === true);
  assertMatch(sockets.get("33")?.text ?? "", /^Cannot open a terminal: 32 are open already/);
  for (const id of ["1", "32"]) {
    sockets.get(id)?.type("echo he''re\r");
    await eventually(() => sockets.get(id)?.text.includes("here") === true);
  }
  assertEquals(sockets.size, 33);
  sockets.get("1")?.close();
  let next = 34;
  await eventually(() => {
    it.open(`${next++}`);
    return [...sockets.values()].slice(33).some((socket) => !socket.isClosed);
  });
});

withTerminals.test("RemoteControl.close() ends commands' groups and hangs terminals up", async (it) => {
  const mark = newMark();
  const lines = await collectedLog(async (lines) => {
    for (let i = 0; i < 3; i++) it.run(`${i}`, `trap '' TERM HUP; sleep ${mark} & sleep ${mark}`);
    it.open("t");
    await eventually(() => it.sockets.size === 1);
    it.sockets.get("t")?.type(`nohup sleep ${mark} >/dev/null 2>&1 & sleep ${mark}\r`);
    await eventually(() => marked(`sleep ${mark}`).length >= 8);
    await it.control.close();
    // What is not waited for, and nohup's job lives.
    await eventually(() => marked(`sleep ${mark}`).length === 1);
    await eventually(() => lines.some((line) => line.includes("Terminal t ended")));
    assertEquals(it.sockets.get("t")?.isClosed, true);
    it.run("late", "echo late");
    it.open("late");
  }, { level: "debug" });
  for (const { pid } of marked(`sleep ${mark}`)) Deno.kill(pid, "SIGKILL");
  assertLogged(lines, /Terminal t ended after .*: the agent ends$/);
  assertEquals(lines.filter((line) => line.includes("was aborted")).length, 3);
  assert(!lines.some((line) => line.includes("late")));
});

withControl.test("RemoteControl.close() sends a result for each command that waits or runs", async (it) => {
  for (let i = 0; i < 100; i++) it.run(`${i}`, "sleep 1000");
  await eventually(() => started.children().length === 64);
  await it.control.close();
  const counts = Map.groupBy(await it.has(100), ({ output, exitCode }) => `${exitCode} ${output}`);
  assertEquals(Object.fromEntries([...counts].map(([text, { length }]) => [text, length])), {
    "-1 The agent stopped before the command ended.": 64,
    "-1 The agent stopped before the command ran.": 36,
  });
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

switchedOff.test("RemoteControl.handle() sends the configuration once for each request", async (it) => {
  for (const requestId of "aaba") it.control.handle({ kind: "startup config", requestId });
  const { startupConfigs } = it.panel.sender;
  await eventually(() => startupConfigs.length === 2);
  const shown = { version: VERSION, ...publicConfig(CONFIG) };
  assertEquals(startupConfigs, [..."ab"].map((requestId) => ({ requestId, config: shown })));
  assertEquals(startupConfigs[0]?.config["interval"], 3);
});

withTerminals.test("RemoteControl ends a command after as many minutes as were configured, and an idle terminal", async () => {
  using time = new FakeTime();
  const minutes = configOf(["--exec-timeout", "2", "--terminal-idle", "4"]);
  await using it = new ControlUnderTest({ config: minutes });
  const mark = newMark();
  it.run("a", `sleep ${mark}`);
  it.open("t");
  const socket = () => it.sockets.get("t");
  const run = () => marked(`sleep ${mark}`).length === 1 && socket()?.text.endsWith(" ") === true;
  await time.until(eventually(run), { withinMs: 60_000, stepMs: 1 });
  for (
    const [endMs, isOver] of [
      [120_000, () => it.results.length > 0],
      [240_000, () => socket()?.isClosed === true],
    ] as const
  ) {
    await time.pass(endMs - 10_000 - performance.now(), { stepMs: 1_000 });
    assertEquals(isOver(), false);
    await time.until(eventually(isOver), { withinMs: 70_000, stepMs: 1_000 });
  }
  assertEquals(it.results[0]?.output, "[ended after 120 s: the command took too long]");
  assertMatch(socket()?.text ?? "", /The terminal is closed: no keys and no output for 4 min\r\n$/);
  await time.until(it.control.close(), { withinMs: 1_000, stepMs: 1 });
});

Deno.test("RemoteControl tells what it refuses, where it is off", async () => {
  for (const programs of [undefined, new Programs()]) {
    const seen: unknown[] = [];
    const observer = { setProblem: (...problem: unknown[]) => void seen.push(problem) };
    const control = new RemoteControl(programs, new FakePanel(), CONFIG, observer);
    control.handle({ kind: "startup config", requestId: "1" });
    for (const requestId of "23") {
      control.handle({ kind: "file", requestId, op: "list_roots", args: {} });
    }
    control.handle({ kind: "switch version", version: "1.2.*" });
    await control.close();
    const told = ["a file request", "a version switch"].map((what) => [
      "remote",
      `${what} of the panel was refused`,
    ]);
    assertEquals(seen, programs === undefined ? told : []);
  }
});

Deno.test("RemoteControl.handle() answers a long order for files, and none without an id", async () => {
  const panel = new FakePanel();
  const control = new RemoteControl(programs, panel, configOf(["--enable-remote-control"]));
  const LENGTHS = { lengthBytes: 9_000_000, limitBytes: 8_388_608 };
  for (const [method, orderId] of [["agent.exec"], ["", "x"], ["agent.file", "f"]]) {
    control.handle({ kind: "too long", method: method ?? "", orderId, ...LENGTHS });
  }
  const error = "too long a request: it has 9000000 bytes, and at most 8388608 are taken";
  await eventually(() => panel.sender.fileResults.length > 0);
  await control.close();
  assertEquals(panel.sender.fileResults, [{ requestId: "f", ok: false, error }]);
  assertEquals(panel.sender.commandResults, []);
});

Deno.test("RemoteControl refuses file requests in the official words with --disable-remote-files", async () => {
  for (const more of [[], ["--disable-remote-files"]]) {
    const panel = new FakePanel();
    const on = configOf(["--enable-remote-control", ...more]);
    const control = new RemoteControl(programs, panel, on);
    control.handle({ kind: "file", requestId: "f", op: "list_roots", args: {} });
    await eventually(() => panel.sender.fileResults.length > 0);
    await control.close();
    const refused = panel.sender.fileResults.filter(({ ok }) => !ok);
    assertEquals(refused.map(({ error }) => error), more.map(() => "web control is disabled"));
  }
});
