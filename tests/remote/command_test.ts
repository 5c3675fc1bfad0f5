import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { Programs } from "../../lib/host/programs.ts";
import { type CommandOptions, OUTPUT_LIMIT_BYTES, runCommand } from "../../lib/remote/command.ts";
import { timed } from "../fake_time.ts";
import { realDeadline } from "../real_deadline.ts";
import { isolatedTest } from "../own_process.ts";
import { eventually, marked, newMark } from "./processes_below.ts";

const PATH = Deno.env.get("PATH") ?? "";

function run(command: string, options: Partial<CommandOptions> = {}) {
  return runCommand(command, {
    programs: new Programs(),
    env: { PATH },
    cwd: "/",
    timeoutMs: 60_000,
    signal: new AbortController().signal,
    ...options,
  });
}

const table = [
  ["echo one; echo two", "one\ntwo\n", 0],
  ["echo error >&2; echo output", "output\nerror\n", 0],
  ["printf output; printf error >&2", "output\nerror", 0],
  ["printf error >&2", "error", 0],
  ["exit 3", "", 3],
  ["kill -TERM $$", "", 143],
  ["kill -KILL $$", "", 137],
  ["pwd", "/\n", 0],
  ["", "No command provided", 0],
  [" \n\t", "No command provided", 0],
  ["printf 'gr\\303\\274n\\377\\303'", "grün��", 0],
  ["echo $((1 + 1)) # a comment", "2\n", 0],
  ["cat <<END\nhere\nEND", "here\n", 0],
  ["exit 0\n" + "# long\n".repeat(50_000), "", 0],
  ["trap 'echo bye' EXIT", "bye\n", 0],
] as const;
for (const [command, output, exitCode] of table) {
  Deno.test(`runCommand() gives ${JSON.stringify(output)} for ${JSON.stringify(command.slice(0, 40))}`, async () => {
    assertEquals(await run(command), { output, exitCode });
  });
}

Deno.test("runCommand() gives the environment that it was given, and no more", async () => {
  const { output } = await run("env", { env: { PATH, ONE: "1" } });
  const names = output.trim().split("\n").map((line) => line.split("=")[0] ?? "").sort();
  assertEquals(names.filter((name) => !["PWD", "_", "SHLVL", "OLDPWD"].includes(name)), [
    "ONE",
    "PATH",
  ]);
});

Deno.test("runCommand() says why when nothing can be started", async () => {
  const { output, exitCode } = await run("true", { cwd: "/nowhere/at/all" });
  assertMatch(output, /^Cannot start \/bin\/sh/);
  assertEquals(exitCode, -1);
});

timed.test("runCommand() ends a command that takes too long, and keeps what it said", async (time) => {
  const mark = newMark();
  const running = run(`echo before; sleep ${mark}`, { timeoutMs: 200 });
  await eventually(() => marked(`sleep ${mark}`).length === 1);
  await time.until(running, { withinMs: 30_000, stepMs: 1 });
  const { output, exitCode } = await running;
  assertEquals(output, "before\n[ended after 0.2 s: the command took too long]");
  assertEquals(exitCode, 124);
  assertEquals(marked(mark), []);
});

timed.test("runCommand() lets a command that takes too long put its things in order", async (time) => {
  const mark = newMark();
  const command = `trap 'sleep 0.3; echo tidied; exit 7' TERM; while :; do sleep ${mark}; done`;
  const running = run(command, { timeoutMs: 200 });
  await eventually(() => marked(`sleep ${mark}`).length === 1);
  await time.until(running, { withinMs: 30_000, stepMs: 1 });
  const { output, exitCode } = await running;
  assertMatch(output, /^(Terminated\n)*tidied\n/);
  assertEquals(exitCode, 124);
});

timed.test("runCommand() kills what does not take SIGTERM after 5 s, grandchildren included", async (time) => {
  const mark = newMark();
  const command =
    `trap '' TERM; sh -c 'trap "" TERM; sleep ${mark} & sleep ${mark}' & sleep ${mark}`;
  const running = run(command, { timeoutMs: 200 });
  await eventually(() => marked(`sleep ${mark}`).length === 4);
  await time.pass(200 + 4900);
  assertEquals(marked(`sleep ${mark}`).length, 4, "they have time to end by themselves");
  await time.until(running, { withinMs: 30_000 });
  assertEquals((await running).exitCode, 124);
  assertEquals(marked(mark), []);
});

timed.test("runCommand() answers soon when children keep the output open, and ends them", async (time) => {
  const mark = newMark();
  const running = run(`sleep ${mark} & (sleep ${mark} &) ; echo done; exit 5`);
  await eventually(() => {
    const left = marked(mark);
    return left.length === 2 && left.every(({ words }) => words.startsWith("sleep"));
  });
  await time.pass(990);
  assertEquals(marked(mark).length, 2, "children have time to write what they have to");
  await time.pass(1_000);
  // Not as long as the time-out, which ends a command with exit code 124.
  assertEquals(await realDeadline(running), { output: "done\n", exitCode: 5 });
  assertEquals(marked(mark), []);
});

Deno.test("runCommand() waits for what children say right after the shell", async () => {
  const { output } = await run("(sleep 0.2; echo late) &");
  assertEquals(output, "late\n");
});

Deno.test("runCommand() ends jobs that have groups of their own", async () => {
  const mark = newMark();
  await run(`set -m; sleep ${mark} >/dev/null 2>&1 & echo started`);
  assertEquals(marked(mark), []);
});

timed.test("runCommand() does not wait for what has left the session", async (time) => {
  const mark = newMark();
  const running = run(`setsid sleep ${mark} & echo done`);
  await eventually(() => marked(mark).some(({ words }) => words === `sleep ${mark}`));
  let isOver = false;
  running.then(() => isOver = true);
  await time.pass(1_240);
  assertEquals(isOver, false);
  await time.pass(760);
  assertEquals(
    await realDeadline(running),
    { output: "done\n", exitCode: 0 },
    "its pipes are left",
  );
  const left = marked(mark);
  for (const { pid } of left) Deno.kill(pid, "SIGKILL");
  assertEquals(left.length, 1);
});

timed.test("runCommand() leaves nothing behind when it is broken off", async (time) => {
  const mark = newMark();
  const controller = new AbortController();
  const command = `trap '' TERM HUP; sleep ${mark} & set -m; sleep ${mark} & wait`;
  const running = run(command, { signal: controller.signal });
  running.catch(() => {});
  await eventually(() => marked(`sleep ${mark}`).length === 2);
  controller.abort(new Error("enough"));
  // Nothing gets the 5 s that a command has to end by itself.
  await time.until(running, { withinMs: 5000, stepMs: 1 });
  await assertRejects(() => running, Error, "enough");
  assertEquals(marked(mark), []);
});

isolatedTest(import.meta.url, {
  name: "runCommand() keeps the beginning of 200 MB, in constant memory",
  fn: async () => {
    // Once before, for what loads at first use.
    await run("yes | head -c 10000000");
    const before = Deno.memoryUsage().rss;
    let most = before;
    const timer = setInterval(() => most = Math.max(most, Deno.memoryUsage().rss), 20);
    const { output, exitCode } = await run("yes | head -c 200000000; echo error >&2; exit 4");
    clearInterval(timer);
    assertEquals(exitCode, 4);
    assert(output.length < OUTPUT_LIMIT_BYTES + 200);
    assertMatch(output.slice(-100), /\nerror\n\[198951430 more bytes of output were cut off\]$/);
    assert(most - before < 40 * 1024 * 1024, `grew by ${most - before}`);
  },
});

Deno.test("runCommand() cuts no character in two", async () => {
  const { output } = await run("printf x; yes € | head -c 3000000 | tr -d '\\n'");
  assertMatch(output.slice(0, 10), /^x€+$/);
  assert(!output.includes("\ufffd"));
  assertMatch(output.slice(-70), /€\n\[\d+ more bytes of output were cut off\]$/);
});

Deno.test("runCommand() keeps errors when there is too much output as well", async () => {
  const { output } = await run("yes o | head -c 2000000; yes e | head -c 2000000 >&2");
  assertStringIncludes(output, "o\no\n");
  assertStringIncludes(output, "e\ne\n");
  assertMatch(output, /\[2951424 more bytes of output were cut off\]$/);
  const countOf = (line: string) => output.split(`${line}\n`).length - 1;
  assertEquals([countOf("o"), countOf("e")], [3 * 131_072, 131_072], "a quarter is errors");
});

timed.test("runCommand() ends a command that never stops talking", async (time) => {
  const mark = newMark();
  const running = run(`yes ${mark}`, { timeoutMs: 60_000 });
  const writtenBytes = () => {
    const pid = marked(mark).find(({ words }) => words === `yes ${mark}`)?.pid;
    const io = pid === undefined ? "" : Deno.readTextFileSync(`/proc/${pid}/io`);
    return Number(/^wchar: (\d+)/m.exec(io)?.[1] ?? 0);
  };
  while (writtenBytes() < 2 * OUTPUT_LIMIT_BYTES) {
    await time.pass(1);
  }
  await time.until(running, { withinMs: 70_000, stepMs: 1000 });
  const { exitCode, output } = await running;
  assertEquals(exitCode, 124);
  assertMatch(output.slice(-150), /cut off\]\n\[ended after 60 s: the command took too long\]$/);
});

Deno.test("runCommand() lets timers run while a command never stops talking", async () => {
  const controller = new AbortController();
  let ticks = 0;
  const timer = setInterval(() => {
    if (++ticks === 20) controller.abort(new Error("twenty ticks"));
  }, 5);
  try {
    await assertRejects(() => run("yes", { signal: controller.signal }), Error, "twenty ticks");
  } finally {
    clearInterval(timer);
  }
});
