import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { attempt } from "../../lib/attempt.ts";
import {
  runTools,
  SYSTEM_PATH,
  toolLine,
  toolPath,
  type ToolResult,
  ToolRunner,
  type Tools,
} from "../../lib/host/tool_runner.ts";
import { FakeTime, realTurn, timed } from "../fake_time.ts";
import { realUntil } from "../real_deadline.ts";
import { replaced } from "../replaced.ts";
import { TempFolder } from "../temp_folder.ts";

const { signal } = new AbortController();
const tools = new ToolRunner({ PATH: toolPath(), TOLD: "yes", LC_ALL: "zh_CN.UTF-8" });
const sh = (script: string) => ({ tool: "sh", args: ["-c", script] });

Deno.test("ToolRunner tells how a program ended, and what it wrote", async () => {
  const result = await tools.run(sh("echo $TOLD; echo $LC_ALL >&2; exit 7"), { signal });
  assertEquals(result, { code: 7, output: "yes\nC\n" });
});

Deno.test("ToolRunner knows which programs there are", async () => {
  assert(tools.has("sh") && tools.has("/bin/sh"));
  assert(!tools.has("no-such-program") && !tools.has("/etc/passwd"));
  const { code } = await tools.run({ tool: "no-such-program", args: [] }, { signal });
  assertEquals(code, 127);
});

Deno.test("ToolRunner gives a program nothing to read, and none of this program's variables", async () => {
  const { output } = await tools.run(sh("cat; echo ${HOME-none}"), { signal });
  assertEquals(output, "none\n");
});

Deno.test("ToolRunner keeps a bounded part of what is written", async () => {
  const { code, output } = await tools.run(sh("head -c 1000000 /dev/zero"), { signal });
  assertEquals([code, output.length], [0, 65536]);
});

timed.test("ToolRunner ends a program that takes longer than two minutes", async (time) => {
  const running = tools.run({ tool: "sleep", args: ["600"] }, { signal });
  await time.pass(119_999, { stepMs: 60_000 });
  assertEquals(time.timers, 1, "it waits");
  await time.run(1);
  const expected = { code: 124, output: "it did not end within 120 s" };
  await time.until(running, { withinMs: 5_000, stepMs: 1 });
  assertEquals(await running, expected);
});

Deno.test("ToolRunner kills a program 5 s after it was told to end", async () => {
  using folder = new TempFolder();
  using time = new FakeTime();
  const stubborn = `trap "touch ${folder.path}/told" TERM; echo $$; touch ${folder.path}/ready; ` +
    "while :; do sleep 0.01; done";
  const running = tools.run(sh(stubborn), { signal });
  await exists(`${folder.path}/ready`);
  await time.run(120_000);
  await exists(`${folder.path}/told`);
  await time.run(4_999);
  assertEquals(time.timers, 1, "it waits");
  await time.run(1);
  await time.until(running, { withinMs: 60_000 });
  const { code, output } = await running;
  assertEquals(code, 124);
  assertThrows(() => Deno.kill(Number.parseInt(output), "SIGCONT"), Deno.errors.NotFound);
});

function exists(path: string): Promise<void> {
  return realUntil(() => attempt(() => Deno.statSync(path)) !== undefined);
}

Deno.test("ToolRunner goes on when a program has ended just before it is killed", async () => {
  const { kill } = Deno.ChildProcess.prototype;
  const stop = new AbortController();
  using _late = replaced(Deno.ChildProcess.prototype, {
    kill(this: Deno.ChildProcess, signal) {
      kill.call(this, "SIGKILL");
      throw new TypeError(`Child process has already terminated: ${signal}`);
    },
  });
  const running = tools.run({ tool: "sleep", args: ["600"] }, { signal: stop.signal });
  stop.abort(new Error("enough"));
  await assertRejects(() => running, Error, "enough");
});

Deno.test("ToolRunner ends a program when it is asked to", async () => {
  const command = { tool: "sleep", args: ["60"] };
  {
    using time = new FakeTime();
    const asked = new AbortController();
    const running = tools.run(command, { signal: asked.signal });
    asked.abort();
    const rejected = assertRejects(() => running, DOMException);
    await time.until(rejected, { withinMs: 4_999, stepMs: 1 });
  }
  await assertRejects(() => tools.run(command, { signal: AbortSignal.abort() }), DOMException);
});

Deno.test("ToolRunner waits for a program, not for what that has left running", async () => {
  const { code, output } = await tools.run(sh("sleep 60 & echo $!"), { signal });
  Deno.kill(Number(output), "SIGKILL");
  assertEquals(code, 0);
});

/** Leaves a program behind that waits for a line of `pipe`, and waits until the first has ended. */
async function leaveBehind(
  left: (pipe: string) => string,
  use: (running: Promise<ToolResult>, options: { pipe: string; folder: string }) => Promise<void>,
): Promise<void> {
  using folder = new TempFolder();
  const pipe = `${folder.path}/pipe`;
  await new Deno.Command("mkfifo", { args: [pipe] }).output();
  const running = tools.run(sh(`(${left(pipe)}) & echo $$ >${folder.path}/pid`), { signal });
  await exists(`${folder.path}/pid`);
  await realUntil(() => Deno.readTextFileSync(`${folder.path}/pid`).endsWith("\n"));
  const pid = Deno.readTextFileSync(`${folder.path}/pid`).trim();
  await realUntil(() => attempt(() => Deno.statSync(`/proc/${pid}`)) === undefined);
  for (let turn = 0; turn < 5; turn++) await realTurn();
  await use(running, { pipe, folder: folder.path });
}

timed.test("ToolRunner reads what comes soon after a program's end", async () => {
  await leaveBehind((pipe) => `read line <${pipe}; echo $line`, async (running, { pipe }) => {
    await Deno.writeTextFile(pipe, "soon\n");
    assertEquals(await running, { code: 0, output: "soon\n" });
  });
});

timed.test("ToolRunner leaves no pipe open for what a program has left running", async (time) => {
  const left = (pipe: string) =>
    `trap "" PIPE; read line <${pipe}; echo $line || touch ${pipe}.broken; touch ${pipe}.said`;
  await leaveBehind(left, async (running, { pipe }) => {
    await time.until(running, { withinMs: 2_000, stepMs: 200 });
    await Deno.writeTextFile(pipe, "late\n");
    await exists(`${pipe}.said`);
    assertEquals(Deno.statSync(`${pipe}.broken`).isFile, true);
  });
});

function failing(names: readonly string[], ran: string[]): Tools {
  return {
    run(command) {
      ran.push(toolLine(command));
      const code = names.includes(command.tool) ? 3 : 0;
      return Promise.resolve({ code, output: code === 0 ? "" : "one\ntwo\nthree\nno such unit\n" });
    },
  };
}

Deno.test("runTools() stops at the first that must not fail, and quotes its last words", async () => {
  const ran: string[] = [];
  const tools = failing(["a"], ran);
  await assertRejects(
    () => runTools([{ tool: "a", args: [] }, { tool: "b", args: [] }], { tools, signal }),
    Error,
    'Cannot run "a": two; three; no such unit',
  );
  assertEquals(ran, ["a"]);
});

Deno.test("runTools() names the exit code of a program that says nothing", async () => {
  const tools: Tools = { run: () => Promise.resolve({ code: 3, output: "\n" }) };
  const running = () => runTools([{ tool: "a", args: [] }], { tools, signal });
  await assertRejects(running, Error, 'Cannot run "a": it ended with code 3');
});

Deno.test("toolPath() looks at a user's folders before those of the system", () => {
  assertEquals(toolPath("/own:/bin"), `/own:/bin:${SYSTEM_PATH}`);
  assertEquals([toolPath(""), toolPath()], [SYSTEM_PATH, SYSTEM_PATH]);
});
