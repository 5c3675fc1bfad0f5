import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { delay } from "@std/async/delay";
import { Programs } from "../../lib/host/programs.ts";
import { Terminal, type TerminalOptions } from "../../lib/remote/terminal.ts";
import { writeExecutable } from "../executable.ts";
import { exists } from "../exists.ts";
import { FakeTime, realTurn } from "../fake_time.ts";
import { ShellHome } from "../shell_home.ts";
import { StartedProcesses } from "../started_processes.ts";
import { TerminalSocket } from "./terminal_socket.ts";
import { eventually, marked, newMark } from "./processes_below.ts";
import { restoring } from "../restoring.ts";
import { testsWith } from "../tests_with.ts";
import { onlyIf, unless } from "../only_on.ts";
import { inFolder } from "../temp_folder.ts";

const started = new StartedProcesses();
const programs = new Programs();
const PATH = Deno.env.get("PATH") ?? "";
const ignore = programs.find("script", PATH) === undefined; // There is nothing to open a pty with.

function has(program: string): boolean {
  return programs.find(program, PATH) !== undefined;
}

/** A terminal with a plain shell, and a look at what it leaves behind. */
function openTerminal(
  { shell = "/bin/sh", isLasting = false, ...options }: Partial<TerminalOptions> & {
    readonly shell?: string;
    /** Whether it outlives its connections, and is given others. */
    readonly isLasting?: boolean;
  } = {},
) {
  const folder = new ShellHome();
  const { path: home } = folder;
  const socket = new TerminalSocket();
  const controller = new AbortController();
  const sockets = new NextSockets();
  const terminal = sockets.terminal = new Terminal({
    programs,
    account: { name: "somebody", home, shell },
    env: { PATH },
    idleMs: 60_000,
    signal: controller.signal,
    onDetached: isLasting ? sockets.onDetached : undefined,
    ...options,
  });
  const ended = terminal.run(socket);
  const told = () => socket.text.slice(-2000);
  /** Waits for the shell to ask for a line. */
  function ready(): Promise<void> {
    return eventually(() => ["# ", "$ "].some((prompt) => socket.text.endsWith(prompt)), { told });
  }
  /** Types a line when the shell asks for one, and waits for what it should show. */
  async function enter(line: string, shows: string): Promise<void> {
    await ready();
    socket.type(`${line}\r`);
    await eventually(() => socket.text.includes(shows), { told });
  }
  /** Types a line that does something once the connection is closed, and makes `done` after it. */
  async function unseen(line: string): Promise<void> {
    await ready();
    const waits = "until [ -e $HOME/go ]; do sleep 0.01; done";
    socket.type(`${waits}; ${line}; echo > $HOME/done; sleep 1000\r`);
    await eventually(() => socket.text.includes("sleep 1000"));
    socket.close();
    await eventually(() => sockets.asked === 1);
    await Deno.writeTextFile(`${home}/go`, "");
  }
  return {
    ...{ home, socket, sockets, controller, ended, ready, enter, unseen },
    async [Symbol.asyncDispose](): Promise<void> {
      using _ = folder;
      controller.abort();
      await ended;
      assert(socket.isClosed);
      assertEquals(started.children(), []);
    },
  };
}

const withScript = onlyIf(!ignore);
/** Tests in such a terminal. */
const inSuch = (options: Parameters<typeof openTerminal>[0]) =>
  testsWith(() => openTerminal(options), { ignore });
const inTerminal = inSuch({});
const inLasting = inSuch({ isLasting: true });

/** Tests that need programs beside the one that opens terminals. */
function needing(...needs: readonly string[]): ReturnType<typeof unless> {
  const missing = ["script", ...needs].find((program) => !has(program));
  return unless(missing && `there is no ${missing}`);
}

inTerminal.test("Terminal.run() gives a login shell in a terminal", async ({ socket, ended, enter }) => {
  await enter('tty; echo "$USER $TERM $SHELL" "$0"', "somebody xterm-256color /bin/sh");
  assertMatch(socket.text, /\/dev\/pts\/\d+\r\n/);
  // What is typed is shown.
  assertStringIncludes(socket.text, 'tty; echo "$USER');
  await enter('[ "$PWD" = "$HOME" ] && echo "at "home', "at home");
  await enter('echo "$LOGNAME,$LANG"', "\r\nsomebody,C.UTF-8\r\n");
  // So that the erase key takes whole characters.
  await enter("stty -a", " iutf8");
  socket.type("exit\r");
  assertEquals(await ended, "the shell has ended");
});

inSuch({ env: { PATH, LANG: "C" } }).test(
  "Terminal.run() keeps the language that the agent was given",
  async ({ enter }) => {
    await enter('echo "<$LANG>"', "\r\n<C>\r\n");
  },
);

needing("bash").test("Terminal.run() reads the profile, as a login shell does", async () => {
  await using terminal = openTerminal({ shell: programs.find("bash", PATH) ?? "" });
  const { enter } = terminal;
  await enter("shopt login_shell", "login_shell    \ton");
});

inTerminal.test("Terminal.run() tells the program in the foreground of a new size", async ({ socket, enter }) => {
  await enter("stty size", "24 80\r\n");
  await enter("trap 'echo size: $(stty size)' WINCH; echo tr''apped", "\r\ntrapped");
  for (let cols = 81; cols < 140; cols++) {
    socket.say({ type: "resize", cols, rows: 50 });
  }
  socket.say({ type: "resize", cols: 0, rows: 0 });
  socket.say({ type: "resize", cols: "1", rows: 1 });
  await eventually(() => /size: 50 139/.test((socket.say("\r"), socket.text)));
  // Of the burst only a few were applied.
  assert(socket.text.split("size: ").length < 10, socket.text);
});

inTerminal.test("Terminal.run() leaves characters whole that come in two frames", async ({ socket, ready }) => {
  await ready();
  const bytes = new TextEncoder().encode("printf '<%s>\\n' grüße€𝄞\r");
  for (const byte of bytes) socket.say(Uint8Array.of(byte));
  await eventually(() => socket.text.includes("\r\n<grüße€𝄞>"), { told: () => socket.text });
});

/** Ends the marked processes that live on, as they should, and gives what they have after `sleep`. */
function endMarked(mark: string): string[] {
  const left = marked(`sleep ${mark}`).filter(({ words }) => words.startsWith("sleep"));
  for (const { pid } of left) Deno.kill(pid, "SIGKILL");
  return left.map(({ words }) => words.split(" ")[2] ?? "").sort();
}

for (
  const [how, end] of [
    ["the connection ends", (it) => it.socket.end("the network is gone")],
    ["the agent ends", (it) => it.controller.abort()],
    ["the user closes it", (it) => it.socket.say({ type: "close" })],
    ["its shell exits", (it) => it.socket.type("\x03exit\r")],
  ] as [string, (it: ReturnType<typeof openTerminal>) => void][]
) {
  needing("bash", "setsid").test(
    `Terminal.run() hangs up as a kernel does when ${how}`,
    async () => {
      const mark = newMark();
      await using it = openTerminal({ shell: programs.find("bash", PATH) ?? "" });
      await it.ready();
      it.socket.type(`nohup sleep ${mark} 1s >/dev/null 2>&1 &\r(setsid sleep ${mark} 2s &)\r`);
      it.socket.type(`sleep ${mark} 3s & disown\rsleep ${mark} 4s &\rsleep ${mark} 5s\r`);
      await eventually(() => marked(`sleep ${mark}`).length === 5);
      end(it);
      await it.ended;
      const exits = how === "its shell exits";
      await eventually(() => marked(`sleep ${mark}`).length === (exits ? 4 : 3));
      // `huponexit` is off, so that only a lost line ends jobs in the background.
      assertEquals(endMarked(mark), exits ? ["1s", "2s", "3s", "4s"] : ["1s", "2s", "3s"]);
    },
  );
}

withScript.test("Terminal.run() sends SIGHUP and waits, so that a shell removes its lock", async () => {
  using time = new FakeTime();
  await using terminal = openTerminal();
  const { home, socket, controller, ended } = terminal;
  const lock = `${home}/lock`;
  const tidies = `trap 'sleep 0.2; rm ${lock}; exit' HUP`;
  socket.type(`sh -c "${tidies}; echo > ${lock}; while :; do sleep 0.05; done"\r`);
  await time.until(eventually(() => exists(lock)), { withinMs: 60_000, stepMs: 1 });
  controller.abort();
  const abortedAtMs = performance.now();
  for (let turns = 0; exists(lock); turns++) {
    assert(turns < 60_000, "the lock is left behind");
    await realTurn();
    // What waits for its turn goes on, and next to no time passes.
    await time.run(turns % 50 === 0 ? 1 : 0);
  }
  assert(performance.now() - abortedAtMs < 200);
  await time.until(ended, { withinMs: 1000, stepMs: 1 });
});

inTerminal.test("Terminal.run() stops reading when the connection does not take it", async ({ socket, enter }) => {
  await enter("echo go", "\r\ngo");
  socket.stuck = true;
  const mark = newMark();
  socket.type(`yes ${mark}\r`);
  const yes = () => marked(mark).find(({ words }) => words === `yes ${mark}`);
  await eventually(() => yes() !== undefined);
  const { pid } = yes() ?? {};
  // It has come to a halt when it works no more.
  let work = "";
  for (let stood = 0; stood < 5; await delay(20)) {
    const now = Deno.readTextFileSync(`/proc/${pid}/stat`).split(" ").slice(13, 15).join();
    stood = now === work ? stood + 1 : 0;
    work = now;
  }
  const { 1: writtenBytes } = /^wchar: (\d+)/m.exec(Deno.readTextFileSync(`/proc/${pid}/io`)) ??
    [];
  assert(Number(writtenBytes) < 20 * 1024 * 1024, `${writtenBytes} bytes are on the way`);
  socket.release();
  await eventually(() => socket.text.includes(`${mark}\r\n${mark}\r\n`));
  assertEquals(socket.mostAtATime, 1);
  for (const frame of socket.frames) assert(frame.length <= 32 * 1024);
});

inTerminal.test("Terminal.run() lets other work go on while a program never stops talking", async ({ socket, enter }) => {
  let ticks = 0;
  const timer = setInterval(() => ticks++, 5);
  socket.type("yes\r");
  await eventually(() => socket.text.length > 500_000);
  await eventually(() => ticks > 20);
  clearInterval(timer);
  // Ctrl-C gets through.
  socket.type("\x03");
  await enter('echo "still "here', "still here");
});

withScript.test("Terminal.run() ends when neither keys nor output came for so long, unless that is 0", async () => {
  using time = new FakeTime();
  for (const idleMs of [3_600_000, 0]) {
    await using it = openTerminal({ idleMs });
    await time.until(it.ready(), { withinMs: 60_000, stepMs: 1 });
    let isOver = false;
    it.ended.then(() => isOver = true);
    const go = (n: number) => `${it.home}/go${n}`;
    it.socket.type(
      `for n in 1 2; do until [ -e $HOME/go$n ]; do sleep 0.01; done; echo o$n; done\r`,
    );
    for (const n of [1, 2]) {
      await time.pass(3_000_000, { stepMs: 1_000_000 });
      await Deno.writeTextFile(go(n), "");
      await eventually(() => it.socket.text.includes(`\no${n}`));
    }
    // Nobody reads, and so nobody is waited for.
    it.socket.stuck = true;
    await time.pass(3_500_000, { stepMs: 500_000 });
    assertEquals(isOver, false);
    await time.pass(200_000, { stepMs: 1_000 });
    assertEquals(isOver, idleMs > 0);
    if (idleMs > 0) assertEquals(await it.ended, "no keys and no output for 60 minutes");
  }
});

Deno.test('Terminal.run() says what to install when there is no "script"', async () => {
  await using terminal = openTerminal({ env: { PATH: "/nowhere" } });
  const { socket, ended } = terminal;
  assertMatch(await ended, /there is no "script" command/);
  assertMatch(socket.text, /^Cannot open a terminal: there is no "script" command; install/);
});

/** Gives a terminal one connection after another. */
class NextSockets {
  terminal: Terminal | undefined;
  /** How often the terminal had no connection. */
  asked = 0;

  readonly onDetached = (): void => void this.asked++;

  /** Lets it go on with a connection. */
  give(socket: TerminalSocket): void {
    this.terminal?.attach(socket);
  }
}

inLasting.test("Terminal.run() shows the last 64 KiB of what came without a connection", async ({ home, sockets, unseen }) => {
  await unseen("head -c 1000000 /dev/zero | tr '\\0' x; echo; echo la''st");
  await eventually(() => exists(`${home}/done`));
  const second = new TerminalSocket();
  sockets.give(second);
  await eventually(() => second.text.includes("last"));
  assertEquals(second.frames[0]?.length, 64 * 1024);
  // Beside it only what lay in the pipes.
  assert(second.text.length < 300_000, `${second.text.length}`);
  assertMatch(second.text, /^x{60000,}\r\nlast\r\n/);
});

withScript.test("Terminal.run() repeats what went by a first connection that was lost before a pong, and not after 5 s without", async () => {
  for (const [livedMs, isRepeated] of [[4_000, true], [6_000, false]] as const) {
    using time = new FakeTime();
    await using it = openTerminal({ isLasting: true });
    const goesOn = (happens: () => boolean) =>
      time.until(eventually(happens), { withinMs: 60_000, stepMs: 1 });
    await time.until(it.ready(), { withinMs: 60_000, stepMs: 1 });
    it.socket.type("echo fi''rst\r");
    await goesOn(() => it.socket.text.includes("first"));
    await time.pass(livedMs - performance.now(), { stepMs: 100 });
    it.socket.end("it was reset");
    await goesOn(() => it.sockets.asked === 1);
    const next = new TerminalSocket();
    it.sockets.give(next);
    next.type("echo se''cond\r");
    await goesOn(() => next.text.includes("second"));
    assertEquals(next.text.includes("first"), isRepeated);
  }
});

inLasting.test("Terminal.run() ends when the shell ends without a connection", async ({ ended, unseen }) => {
  await unseen("exit");
  assertEquals(await ended, "the shell has ended");
});

inTerminal.test("Terminal.run() reads no more when a MiB of input waits for the terminal", async ({ socket, ready }) => {
  await ready();
  const [script] = started.children();
  assert(script !== undefined);
  Deno.kill(script.pid, "SIGSTOP");
  const receive = socket.receive.bind(socket);
  let taken = 0;
  socket.receive = () => {
    taken++;
    return receive();
  };
  for (let frame = 0; frame < 200; frame++) socket.type("x".repeat(32 * 1024));
  // It has come to a halt when it takes no more.
  for (let [stood, before] = [0, -1]; stood < 5; await delay(20)) {
    stood = taken === before ? stood + 1 : 0;
    before = taken;
  }
  // What the pipe takes goes on top.
  assert(taken >= 32 && taken < 40, `${taken} frames of 32 KiB were taken`);
});

inFolder.test("Terminal.run() tells what the system says when it gives no terminal", async ({ path: folder }) => {
  writeExecutable(`${folder}/script`, "#!/bin/sh\necho 'script: no more terminals' >&2\nexit 1\n");
  await using terminal = openTerminal({ env: { PATH: `${folder}:${PATH}` } });
  const { socket, ended } = terminal;
  assertEquals(await ended, "it could not be opened: script: no more terminals");
  assertEquals(socket.text, "Cannot open a terminal: script: no more terminals\r\n");
});

inLasting.test("Terminal.run() does not slow a program whose output nobody sees", async ({ home, unseen }) => {
  using _ = restoring(globalThis, "setTimeout");
  const { setTimeout } = globalThis;
  const delays = new Set<unknown>();
  globalThis.setTimeout = ((act: () => void, ms: number) => {
    delays.add(ms);
    return setTimeout(act, ms);
  }) as typeof setTimeout;
  await unseen("yes | head -c 15000000");
  await eventually(() => exists(`${home}/done`));
  assertEquals([...delays], [0], "no pause is made");
});

inTerminal.test("Terminal.run() says what it left out of a paste that is too long", async ({ socket, ready }) => {
  await ready();
  const none = new Uint8Array(0);
  socket.onSkipped?.({ head: none, tail: none, lengthBytes: 9_000_000 });
  await eventually(() =>
    socket.text.includes("[9000000 bytes of input were left out: at most 8 MiB")
  );
});
