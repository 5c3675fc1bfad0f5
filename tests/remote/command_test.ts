import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { wholeText } from "../../lib/types.ts";
import { Programs } from "../../lib/host/programs.ts";
import { type CommandOptions, runCommand } from "../../lib/remote/command.ts";
import { CommandOutputs } from "../../lib/remote/command_output.ts";
import { sameLater } from "../cases.ts";
import { exists } from "../exists.ts";
import { timed } from "../fake_time.ts";
import { StartedProcesses } from "../started_processes.ts";
import { TempFolder } from "../temp_folder.ts";
import { eventually, marked, newMark } from "./processes_below.ts";

const started = new StartedProcesses();
const PATH = Deno.env.get("PATH") ?? "";

function start(command: string, options: Partial<CommandOptions> = {}) {
  return runCommand(command, {
    programs: new Programs(),
    outputs: new CommandOutputs(),
    env: { PATH },
    cwd: "/",
    timeoutMs: 60_000,
    signal: new AbortController().signal,
    ...options,
  });
}

/** What a command gives: its exit code, and what it prints. */
async function run(...command: Parameters<typeof start>): Promise<string> {
  const { output, exitCode } = await start(...command);
  const text = wholeText(output);
  if (typeof output !== "string") output.release();
  return `${exitCode} ${text}`;
}

/** Kills the marked processes that should have lived on. */
function killMarked(mark: string): number {
  const left = marked(`sleep ${mark}`);
  for (const { pid } of left) Deno.kill(pid, "SIGKILL");
  return left.length;
}

Deno.test("runCommand() gives the exit code, the output, and then the errors", () =>
  sameLater((command: string) => run(command), [
    ["echo error >&2; echo output", "0 output\nerror\n"],
    ["printf error >&2", "0 error"],
    ["exit 3", "3 "],
    ["kill -KILL $$", "137 "],
    ["pwd", "0 /\n"],
    ["", "0 No command provided"],
    [" \n\t", "0 No command provided"],
    ["printf 'gr\\303\\274n\\377\\303'", "0 grün��"],
    ["cat <<END\nhere\nEND", "0 here\n"],
    ["exit 0\n" + "# long\n".repeat(50_000), "0 "],
    ["trap 'echo bye' EXIT", "0 bye\n"],
  ]));

Deno.test("runCommand() says why when nothing can be started", async () => {
  assertMatch(await run("true", { cwd: "/nowhere/at/all" }), /^-1 Cannot start \/bin\/sh/);
});

timed.test("runCommand() lets a command that takes too long put its things in order, and keeps what it said", async (time) => {
  const mark = newMark();
  const tidies = "trap 'sleep 0.3; echo tidied; exit 7' TERM";
  const command = `${tidies}; echo before; while :; do sleep ${mark}; done`;
  const running = run(command, { timeoutMs: 200 });
  await eventually(() => marked(`sleep ${mark}`).length === 1);
  await time.until(running, { withinMs: 30_000, stepMs: 1 });
  const note = "[ended after 0.2 s: the command took too long]";
  const said = (await running).replaceAll("Terminated\n", "");
  assertEquals([said, marked(mark)], [`124 before\ntidied\n${note}`, []]);
});

timed.test("runCommand() ends jobs in groups and sessions of their own when it takes too long, 5 s later if they take no SIGTERM", async (time) => {
  const mark = newMark();
  const job = `sleep ${mark}`;
  const jobs =
    `${job} & sh -c 'setsid ${job} & ${job}' & set -m; ${job} & set +m; setsid ${job} & ${job}`;
  const running = run(`trap '' TERM; ${jobs}`, { timeoutMs: 200 });
  const left = () => marked(mark).filter(({ words }) => words === job).length;
  await eventually(() => left() === 6);
  await time.pass(200 + 4900);
  assertEquals(left(), 6, "they have time to end by themselves");
  await time.until(running, { withinMs: 30_000, stepMs: 50 });
  assertMatch(await running, /^124 /);
  // A process that was killed takes a moment to be gone.
  await eventually(() => marked(mark).length === 0);
});

const JOBS = [
  "sleep M &",
  "nohup sleep M &",
  "(sleep M &)",
  "setsid sleep M &",
  "setsid -f sleep M",
];
for (const job of JOBS) {
  timed.test(`runCommand() leaves "${job}" running, and is over 0.2 s after its shell`, async (time) => {
    const mark = newMark();
    const running = run(`${job.replace("M", mark)}\necho done; exit 5`);
    await eventually(() => marked(mark).every(({ words }) => words === `sleep ${mark}`));
    await eventually(() => marked(mark).length === 1 && started.children().length === 0);
    assertEquals(await time.until(running, { withinMs: 1_000, stepMs: 200 }) <= 400, true);
    assertEquals(await running, "5 done\n");
    assertEquals(killMarked(mark), 1);
  });
}

timed.test("runCommand() has what a job prints soon after the shell, and lets it print later", async (time) => {
  using folder = new TempFolder();
  const file = (name: string) => `${folder.path}/${name}`;
  const has = (name: string) => eventually(() => exists(file(name)));
  const until = (name: string) => `until [ -e ${file(name)} ]; do sleep 0.01; done`;
  const later = `echo later && head -c 300000 /dev/zero && touch ${file("printed")}`;
  const job = `${until("go")}; echo soon; touch ${file("said")}; ${until("on")}; ${later}`;
  const running = start(`(${job}) & touch ${file("over")}`);
  await has("over");
  Deno.writeTextFileSync(file("go"), "");
  await has("said");
  await eventually(() => started.children().length === 0);
  await time.until(running, { withinMs: 1_000, stepMs: 200 });
  Deno.writeTextFileSync(file("on"), "");
  await time.until(has("printed"), { withinMs: 60_000, stepMs: 1 });
  const { output, exitCode } = await running;
  assertEquals([wholeText(output), exitCode], ["soon\n", 0]);
});

timed.test("runCommand() ends its process group when it is broken off, and no other process", async (time) => {
  const mark = newMark();
  const controller = new AbortController();
  const command = `trap '' TERM HUP; sleep ${mark} & setsid sleep ${mark} & wait`;
  const running = run(command, { signal: controller.signal });
  running.catch(() => {});
  await eventually(() =>
    marked(mark).filter(({ words }) => words === `sleep ${mark}`).length === 2
  );
  controller.abort(new Error("enough"));
  // Nothing gets the 5 s that a command has to end by itself.
  await time.until(running, { withinMs: 5000, stepMs: 1 });
  await assertRejects(() => running, Error, "enough");
  await eventually(() => marked(mark).length === 1);
  assertEquals(killMarked(mark), 1);
});

Deno.test("runCommand() cuts no character in two", async () => {
  const output = await run("printf xx; yes € | head -c 9000000 | tr -d '\\n'");
  assertMatch(output.slice(0, 10), /^0 xx€+$/);
  assert(!output.includes("\ufffd"));
  assertMatch(output.slice(-70), /€\n\[\d+ more bytes of output were cut off\]$/);
});

Deno.test("runCommand() keeps errors when there is too much output as well", async () => {
  const output = await run("yes o | head -c 5000000; yes e | head -c 5000000 >&2");
  assertMatch(output, /\[5805696 more bytes of output were cut off\]$/);
  const countOf = (line: string) => output.split(`${line}\n`).length - 1;
  assertEquals([countOf("o"), countOf("e")], [3 * 524_288, 524_288], "a quarter is errors");
});
