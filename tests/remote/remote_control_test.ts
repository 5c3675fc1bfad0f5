import { assert, assertEquals, assertMatch } from "@std/assert";
import { publicConfig } from "../../lib/config/public_config.ts";
import { getLogger } from "../../lib/log/log.ts";
import { VERSION } from "../../lib/version.ts";
import { FakeTime, timed } from "../fake_time.ts";
import { restoring } from "../restoring.ts";
import { TempFolder } from "../temp_folder.ts";
import { ControlUnderTest, logOf, started, wherePty, withControl } from "./control_fixture.ts";
import { eventually, marked, newMark } from "./processes_below.ts";
import { TerminalSocket } from "./terminal_socket.ts";

withControl.test("RemoteControl.handle() gives commands the account's home, and no secret of the agent", async (it) => {
  using _ = restoring(Deno.env, "toObject");
  Deno.env.toObject = () => ({ PATH: Deno.env.get("PATH") ?? "", AGENT_TOKEN: "a-secret" });
  it.run("a", 'env; [ "$HOME" = "$PWD" ] && echo at home');
  const [output = ""] = await it.has(1);
  assert(!output.includes("a-secret"));
  assertMatch(output, /^a 0 (?:.*\n)*PATH=.*(?:\n.*)*\nat home\n$/);
});

withControl.test("RemoteControl.handle() runs a task once, whatever its id is", async (it) => {
  const odd = "../../\u0000'; rm -rf \u001b[2J\n{taskId}";
  for (const id of ["a", "a", "a", odd]) it.run(id, "echo good");
  await it.has(2);
  for (const id of ["a", odd, "c"]) it.run(id, "echo good");
  assertEquals((await it.has(3)).sort(), [odd, "a", "c"].map((id) => `${id} 0 good\n`));
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
  const FLOODS = [[1030, "", 7], [18, "#".repeat(2 ** 20), 3]] as const;
  for (const [count, text, refused] of FLOODS) {
    await using it = new ControlUnderTest();
    for (let i = 0; i < count; i++) it.run(`${i}`, `sleep 1000\n${text}`);
    for (const result of await it.has(refused)) assertMatch(result, /-1 .* too many others wait/);
  }
});

withControl.test("RemoteControl.handle() counts no command as waiting that was run", async (it) => {
  for (let n = 1; n <= 5; n++) {
    it.run(`${n}`, "exit 5\n" + "#".repeat(4_000_000));
    assertEquals((await it.has(n)).at(-1), `${n} 5 `);
  }
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
    assertMatch(lines.join("\n"), /of command a yet: broken/);
  }
});

Deno.test("RemoteControl.handle() logs start and end, the command only at debug, and few of many", async () => {
  for (const level of ["info", "debug"] as const) {
    const lines = await logOf(async (it) => {
      it.run("task 1", "echo password; exit 2");
      await it.has(1);
    }, { level });
    assertMatch(lines.join("\n"), /info +remote: Command task 1 starts$/m);
    assertMatch(lines.join("\n"), /task 1 ended after \d+\.\d s with exit code 2$/m);
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
    // Lines that a panel causes hide no refusal.
    for (let i = 0; i < 9; i++) getLogger("remote").warning("noise");
    for (let i = 0; i < 10_000; i++) {
      it.run(`${i}`, "echo bad");
      it.open(`${i}`);
    }
    await eventually(() => dialled.length === 1);
    gate.resolve();
    const results = await it.has(1000);
    await eventually(() => (it.open("again"), dialled[1]?.isClosed === true));
    for (const text of results) assertMatch(text, /^\d+ -1 Remote control is disabled\.$/);
  }, { isOff: true });
  for (const { text } of dialled.slice(1, 2)) {
    assertMatch(text, /^Remote control is disabled\. .*--enable-remote-control\.\r\n$/);
  }
  const refusals = ["a command of the panel was refused", "a terminal of the panel was refused"];
  const shown = lines.filter((line) => line.includes(" \u2192 "));
  assertEquals(shown.map((line) => line.split(/: | \u2192 /)[2]), refusals);
});

wherePty.test("RemoteControl.handle() opens 32 terminals, and tells the next why not", async () => {
  await using it = new ControlUnderTest();
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

wherePty.test("RemoteControl.close() ends commands' groups and hangs terminals up", async () => {
  const mark = newMark();
  const lines = await logOf(async (it, lines) => {
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
  assertMatch(lines.join("\n"), /Terminal t ended after .*: the agent ends$/m);
  assertEquals(lines.filter((line) => line.includes("was aborted")).length, 3);
  assert(!lines.some((line) => line.includes("late")));
});

withControl.test("RemoteControl.close() sends a result for each command that waits or runs", async (it) => {
  for (let i = 0; i < 100; i++) it.run(`${i}`, "sleep 1000");
  await eventually(() => started.children().length === 64);
  await it.control.close();
  const ends = Map.groupBy(await it.has(100), (result) => result.replace(/^\d+ /, ""));
  assertEquals([...ends].map(([end, { length }]) => `${length}: ${end}`).sort(), [
    "36: -1 The agent stopped before the command ran.",
    "64: -1 The agent stopped before the command ended.",
  ]);
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

Deno.test("RemoteControl.handle() sends the configuration once for each request", async () => {
  await using it = new ControlUnderTest({ isOff: true });
  for (const requestId of "aaba") it.control.handle({ kind: "startup config", requestId });
  const { startupConfigs } = it.panel.sender;
  await eventually(() => startupConfigs.length === 2);
  const config = { version: VERSION, ...publicConfig(it.config) };
  assertEquals(startupConfigs, [..."ab"].map((requestId) => ({ requestId, config })));
  assertEquals(startupConfigs[0]?.config["interval"], 3);
});

wherePty.test("RemoteControl ends a command after as many minutes as were configured, and an idle terminal", async () => {
  using time = new FakeTime();
  const args = ["--exec-timeout", "2", "--terminal-idle", "4"];
  await using it = new ControlUnderTest({ args });
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
  assertEquals(it.results, ["a 124 [ended after 120 s: the command took too long]"]);
  assertMatch(socket()?.text ?? "", /The terminal is closed: no keys and no output for 4 min\r\n$/);
  await time.until(it.control.close(), { withinMs: 1_000, stepMs: 1 });
});

Deno.test("RemoteControl tells what it refuses, where it is off", async () => {
  for (const isOff of [true, false]) {
    await using it = new ControlUnderTest({ isOff });
    it.control.handle({ kind: "startup config", requestId: "1" });
    for (const id of "23") it.file(id, "list_roots");
    it.control.handle({ kind: "switch version", version: "1.2.*" });
    const refused = ["a file request", "a version switch"];
    const refusals = refused.map((order) => ["remote", `${order} of the panel was refused`]);
    assertEquals(it.problems, isOff ? refusals : []);
  }
});

withControl.test("RemoteControl.handle() answers a long order for files, and none without an id", async (it) => {
  const LENGTHS = { lengthBytes: 9_000_000, limitBytes: 8_388_608 };
  for (const [method = "", orderId] of [["agent.exec"], ["", "x"], ["agent.file", "f"]]) {
    it.control.handle({ kind: "too long", method, orderId, ...LENGTHS });
  }
  const error = "too long a request: it has 9000000 bytes, and at most 8388608 are taken";
  await eventually(() => it.answers.length > 0);
  await it.control.close();
  assertEquals([it.answers, it.results], [[{ requestId: "f", ok: false, error }], []]);
});

Deno.test("RemoteControl refuses file requests in the official words with --disable-remote-files", async () => {
  for (const [isOff, ...args] of [[false], [true], [false, "--disable-remote-files"]] as const) {
    await using it = new ControlUnderTest({ isOff, args });
    const isRefused = isOff || args.length > 0;
    const answer = await it.answer("list_roots");
    assertEquals(answer, isRefused ? "0 false web control is disabled" : "0 true");
  }
});
