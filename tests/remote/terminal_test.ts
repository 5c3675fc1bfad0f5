import { assert, assertEquals, assertMatch } from "@std/assert";
import { delay } from "@std/async/delay";
import { Programs } from "../../lib/host/programs.ts";
import { Terminal, type TerminalOptions } from "../../lib/remote/terminal.ts";
import { writeExecutable } from "../executable.ts";
import { exists } from "../exists.ts";
import { FakeTime, realTurn } from "../fake_time.ts";
import { ShellHome } from "../shell_home.ts";
import { collectedLog } from "../log/collected_log.ts";
import { StartedProcesses } from "../started_processes.ts";
import { FakeOpener } from "./fake_panel.ts";
import { TerminalSocket } from "./terminal_socket.ts";
import { eventually, marked, newMark } from "./processes_below.ts";
import { realDeadline } from "../real_deadline.ts";
import { restoring } from "../restoring.ts";
import { testsWith } from "../tests_with.ts";
import { onlyIf, unless } from "../only_on.ts";
import { inFolder } from "../temp_folder.ts";

const started = new StartedProcesses();
const programs = new Programs();
const PATH = Deno.env.get("PATH") ?? "";
const ignore = programs.find("script", PATH) === undefined; // There is nothing to open a pty with.

type Settings = Partial<TerminalOptions> & { shell?: string; env?: Record<string, string> };

/** A terminal with a plain shell, and a look at what it leaves behind. */
class TerminalUnderTest implements AsyncDisposable {
  readonly #home = new ShellHome();
  readonly #controller = new AbortController();
  readonly home = this.#home.path;
  readonly opener = new FakeOpener();
  /** The first connection. */
  readonly socket = new TerminalSocket();
  /** The log. */
  lines: readonly string[] = [];
  readonly terminal: Terminal;
  /** Settles with its end. */
  readonly ended: Promise<string | undefined>;

  constructor({ shell = "/bin/sh", env = { PATH }, ...options }: Settings = {}) {
    this.opener.dial = () => this.opener.sockets.length > 0 ? undefined : this.socket;
    this.terminal = new Terminal({
      requestId: "a",
      programs,
      environment: { account: { name: "somebody", home: this.home, shell }, env },
      opener: this.opener,
      signal: this.#controller.signal,
      level: "info",
      resumable: false,
      idleMs: 60 * 60_000,
      ...options,
    });
    const log = collectedLog((lines) => {
      this.lines = lines;
      return this.terminal.run();
    }, { level: "debug" });
    this.ended = log.then((lines) => lines.at(-1)?.split(/ ended after \d+\.\d s: /)[1]);
  }

  /** Waits for the shell to ask for a line. */
  ready(): Promise<void> {
    return this.shows(/[#$] $/);
  }

  async shows(text: RegExp, socket = this.socket): Promise<void> {
    await eventually(() => text.test(socket.text), () => socket.text.slice(-2000));
  }

  /** Types a line, and waits for what it should show. */
  async say(line: string, shows: RegExp, socket = this.socket): Promise<void> {
    socket.type(`${line}\r`);
    await this.shows(shows, socket);
  }

  /** The same when the shell asks for a line. */
  async enter(line: string, shows: RegExp): Promise<void> {
    await this.ready();
    await this.say(line, shows);
  }

  /** Types a line that does something once the connection is closed, and makes `done` after it. */
  async unseen(line: string): Promise<void> {
    const waits = "until [ -e $HOME/go ]; do sleep 0.01; done";
    await this.enter(`${waits}; ${line}; echo > $HOME/done; sleep 1000`, /sleep 1000/);
    this.socket.close();
    await this.detached();
    await Deno.writeTextFile(`${this.home}/go`, "");
  }

  /** Waits until it has no connection, for the n-th time. */
  async detached(times = 1): Promise<void> {
    const count = () => this.lines.filter((line) => line.endsWith("has no connection")).length;
    await eventually(() => count() === times, () => this.lines.join("\n"));
  }

  /** The panel asks for it, and takes it by a connection. */
  async resume(socket = new TerminalSocket()): Promise<TerminalSocket> {
    this.opener.dial = () => socket;
    this.terminal.request();
    await eventually(() => this.opener.sockets.at(-1) === socket);
    return socket;
  }

  /** Why it has ended; an error when it never does. */
  reason(): Promise<string | undefined> {
    return realDeadline(this.ended);
  }

  abort(): void {
    this.#controller.abort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    using _ = this.#home;
    this.abort();
    await this.reason();
    assert(this.opener.sockets.every(({ isClosed }) => isClosed));
    assertEquals(started.children(), []);
  }
}

const withScript = onlyIf(!ignore);
/** Tests in such a terminal. */
const inSuch = (options: Settings) => testsWith(() => new TerminalUnderTest(options), { ignore });
const inTerminal = inSuch({});
const inLasting = inSuch({ resumable: true });

const missing = ["script", "bash", "setsid"].find((it) => programs.find(it, PATH) === undefined);
const withBash = unless(missing && `there is no ${missing}`);

/** Lets time pass, which a shell's output needs, until something has happened. */
async function goesOn<T>(time: FakeTime, happening: Promise<T>): Promise<T> {
  await time.until(happening, { withinMs: 60_000, stepMs: 1 });
  return await happening;
}

inTerminal.test("Terminal.run() gives a login shell in a terminal", async (it) => {
  // What is typed is shown.
  await it.enter("tty", /tty\r\n\/dev\/pts\/\d+\r\n/);
  await it.enter('echo "$USER $TERM $SHELL $0"', /\nsomebody xterm-256color \/bin\/sh .*sh\r/);
  await it.enter('[ "$PWD" = "$HOME" ] && echo "at "home', /at home/);
  await it.enter('echo "$LOGNAME,$LANG"', /\nsomebody,C.UTF-8\r\n/);
  // So that the erase key takes whole characters.
  await it.enter("stty -a", / iutf8/);
  it.socket.type("exit\r");
  assertEquals(await it.reason(), "the shell has ended");
});

withBash.test("Terminal.run() reads the profile, and keeps the agent's language", async () => {
  const shell = programs.find("bash", PATH) ?? "";
  await using it = new TerminalUnderTest({ shell, env: { PATH, LANG: "C" } });
  await it.enter("shopt login_shell", /login_shell +\ton/);
  await it.enter('echo "<$LANG>"', /<C>\r\n/);
});

inTerminal.test("Terminal.run() tells the program in the foreground of a new size", async (it) => {
  const { socket } = it;
  await it.enter("stty size", /24 80\r\n/);
  await it.enter("trap 'echo size: $(stty size)' WINCH; echo tr''apped", /\r\ntrapped/);
  for (let cols = 81; cols < 140; cols++) {
    socket.say({ type: "resize", cols, rows: 50 });
  }
  socket.say({ type: "resize", cols: 0, rows: 0 });
  socket.say({ type: "resize", cols: "1", rows: 1 });
  await eventually(() => /size: 50 139/.test((socket.say("\r"), socket.text)));
  // Of the burst only a few were applied.
  assert(socket.text.split("size: ").length < 10, socket.text);
});

inTerminal.test("Terminal.run() leaves characters whole that come in two frames", async (it) => {
  await it.ready();
  const bytes = new TextEncoder().encode("printf '<%s>\\n' grüße€𝄞\r");
  for (const byte of bytes) it.socket.say(Uint8Array.of(byte));
  await it.shows(/\r\n<grüße€𝄞>/);
});

/** Ends the marked processes that live on, as they should, and gives what they have after `sleep`. */
function endMarked(mark: string): string[] {
  const left = marked(`sleep ${mark}`).filter(({ words }) => words.startsWith("sleep"));
  for (const { pid } of left) Deno.kill(pid, "SIGKILL");
  return left.map(({ words }) => words.split(" ")[2] ?? "").sort();
}

const ENDS: Record<string, (it: TerminalUnderTest) => void> = {
  "the connection ends": (it) => it.socket.end("the network is gone"),
  "the agent ends": (it) => it.abort(),
  "the user closes it": (it) => it.socket.say({ type: "close" }),
  "its shell exits": (it) => it.socket.type("\x03exit\r"),
};
for (const [how, end] of Object.entries(ENDS)) {
  withBash.test(`Terminal.run() hangs up as a kernel does when ${how}`, async () => {
    const mark = newMark();
    await using it = new TerminalUnderTest({ shell: programs.find("bash", PATH) ?? "" });
    await it.ready();
    it.socket.type(`nohup sleep ${mark} 1s >/dev/null 2>&1 &\r(setsid sleep ${mark} 2s &)\r`);
    it.socket.type(`sleep ${mark} 3s & disown\rsleep ${mark} 4s &\rsleep ${mark} 5s\r`);
    await eventually(() => marked(`sleep ${mark}`).length === 5);
    end(it);
    await it.reason();
    const exits = how === "its shell exits";
    await eventually(() => marked(`sleep ${mark}`).length === (exits ? 4 : 3));
    // `huponexit` is off, so that only a lost line ends jobs in the background.
    assertEquals(endMarked(mark), exits ? ["1s", "2s", "3s", "4s"] : ["1s", "2s", "3s"]);
  });
}

withScript.test("Terminal.run() sends SIGHUP and waits, so that a shell removes its lock", async () => {
  using time = new FakeTime();
  await using it = new TerminalUnderTest();
  const lock = `${it.home}/lock`;
  const tidies = `trap 'sleep 0.2; rm ${lock}; exit' HUP`;
  await goesOn(time, it.ready());
  it.socket.type(`sh -c "${tidies}; echo > ${lock}; while :; do sleep 0.05; done"\r`);
  await goesOn(time, eventually(() => exists(lock)));
  it.abort();
  const abortedAtMs = performance.now();
  for (let turns = 0; exists(lock); turns++) {
    assert(turns < 60_000, "the lock is left behind");
    await realTurn();
    // What waits for its turn goes on, and next to no time passes.
    await time.run(turns % 50 === 0 ? 1 : 0);
  }
  assert(performance.now() - abortedAtMs < 200);
  await time.until(it.ended, { withinMs: 1000, stepMs: 1 });
});

/** Waits until what has been done grows no more. */
async function halted(done: () => unknown): Promise<void> {
  for (let [stood, before] = [0, done()]; stood < 5; before = done()) {
    await delay(20);
    stood = done() === before ? stood + 1 : 0;
  }
}

inTerminal.test("Terminal.run() stops reading when the connection does not take it", async (it) => {
  const { socket } = it;
  await it.enter("echo go", /\r\ngo/);
  socket.stuck = true;
  const mark = newMark();
  socket.type(`yes ${mark}\r`);
  const yes = () => marked(mark).find(({ words }) => words === `yes ${mark}`);
  await eventually(() => yes() !== undefined);
  const { pid } = yes() ?? {};
  await halted(() => Deno.readTextFileSync(`/proc/${pid}/stat`).split(" ").slice(13, 15).join());
  const { 1: writtenBytes } = /^wchar: (\d+)/m.exec(Deno.readTextFileSync(`/proc/${pid}/io`)) ??
    [];
  assert(Number(writtenBytes) < 20 * 1024 * 1024, `${writtenBytes} bytes are on the way`);
  socket.release();
  await eventually(() => socket.text.includes(`${mark}\r\n${mark}\r\n`));
  assertEquals(socket.mostAtATime, 1);
  for (const frame of socket.frames) assert(frame.length <= 64 * 1024);
});

inTerminal.test("Terminal.run() lets other work go on while a program never stops talking", async (it) => {
  const { socket } = it;
  let ticks = 0;
  const timer = setInterval(() => ticks++, 5);
  await it.ready();
  socket.type("yes\r");
  await eventually(() => socket.text.length > 500_000);
  await eventually(() => ticks > 20);
  clearInterval(timer);
  // Ctrl-C gets through.
  socket.type("\x03");
  await it.enter('echo "still "here', /still here/);
});

withScript.test("Terminal.run() ends when neither keys nor output came for so long, unless that is 0", async () => {
  using time = new FakeTime();
  for (const idleMs of [600_000, 0]) {
    await using it = new TerminalUnderTest({ idleMs });
    await goesOn(time, it.ready());
    it.socket.type("for n in 1 2; do until [ -e ~/go$n ]; do sleep 0.01; done; echo o$n; done\r");
    for (const n of [1, 2]) {
      await time.pass(500_000, { stepMs: 10_000 });
      await Deno.writeTextFile(`${it.home}/go${n}`, "");
      await it.shows(new RegExp(`\no${n}`));
    }
    await time.pass(580_000, { stepMs: 10_000 });
    assertEquals(it.terminal.isOver, false);
    // Nobody reads, and so nobody is waited for.
    it.socket.stuck = true;
    await time.pass(30_000, { stepMs: 1_000 });
    assertEquals(it.terminal.isOver, idleMs > 0);
    if (idleMs > 0) assertEquals(await it.reason(), "no keys and no output for 10 min");
  }
});

inFolder.test("Terminal.run() says why there is no terminal, and what to install", async ({ path }) => {
  const NO_MORE = "#!/bin/sh\necho 'script: no more terminals' >&2\nexit 1\n";
  const INSTALL = 'there is no "script" command; install util-linux (util-linux-misc on Alpine)';
  for (const [script, why] of [["", INSTALL], [NO_MORE, "script: no more terminals"]] as const) {
    if (script !== "") writeExecutable(`${path}/script`, script);
    await using it = new TerminalUnderTest({ env: { PATH: path } });
    const line = `Cannot open a terminal: ${why}`;
    assertEquals([await it.reason(), it.socket.text], [line, `${line}\r\n`]);
  }
});

inTerminal.test("Terminal.run() reads no more when a MiB of input waits for the terminal", async (it) => {
  const { socket } = it;
  await it.ready();
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
  await halted(() => taken);
  // What the pipe takes goes on top.
  assert(taken >= 32 && taken < 40, `${taken} frames of 32 KiB were taken`);
});

inTerminal.test("Terminal.run() says what it left out of a paste that is too long", async (it) => {
  await it.ready();
  const none = new Uint8Array(0);
  it.socket.onSkipped?.({ head: none, tail: none, lengthBytes: 9_000_000 });
  await it.shows(/\[9000000 bytes of input were left out: at most 8 MiB/);
});

inLasting.test("Terminal.run() shows the last 64 KiB of what came without a connection", async (it) => {
  await it.unseen("head -c 1000000 /dev/zero | tr '\\0' x; echo; echo la''st");
  await eventually(() => exists(`${it.home}/done`));
  const second = await it.resume();
  await it.shows(/last/, second);
  assertEquals(second.frames[0]?.length, 64 * 1024);
  // Beside it only what lay in the pipes.
  assert(second.text.length < 300_000, `${second.text.length}`);
  assertMatch(second.text, /^x{60000,}\r\nlast\r\n/);
});

inLasting.test("Terminal.run() repeats what the panel has not confirmed, and nothing else", async (it) => {
  const { socket } = it;
  await it.enter("echo fi''rst", /first/);
  socket.answersPings = false;
  await it.enter("echo se''cond", /second/);
  const next = await it.resume();
  await it.say("echo th''ird", /third/, next);
  const shown = ["first", "second", "third"].filter((word) => next.text.includes(word));
  assertEquals(shown, ["second", "third"]);
});

inLasting.test("Terminal.run() ends when the shell ends without a connection", async (it) => {
  await it.unseen("exit");
  assertEquals(await it.reason(), "the shell has ended");
});

inLasting.test("Terminal.run() does not slow a program whose output nobody sees", async (it) => {
  using _ = restoring(globalThis, "setTimeout");
  const { setTimeout } = globalThis;
  await it.unseen("until [ -e $HOME/on ]; do sleep 0.01; done; yes | head -c 15000000");
  const delays = new Set<unknown>();
  Reflect.set(globalThis, "setTimeout", (act: () => void, ms: number) => {
    delays.add(ms);
    return setTimeout(act, ms);
  });
  await Deno.writeTextFile(`${it.home}/on`, "");
  await eventually(() => exists(`${it.home}/done`));
  assertEquals([...delays], [0], "no pause is made");
});

/** Tests of a terminal that has a shell and a connection, in a time that passes as they say. */
const inTime = testsWith(async () => {
  const time = new FakeTime();
  const it = new TerminalUnderTest({ resumable: true });
  await goesOn(time, it.ready());
  return {
    ...{ it, time },
    async [Symbol.asyncDispose]() {
      using _ = time;
      await it[Symbol.asyncDispose]();
    },
  };
}, { ignore });

inTime.test("Terminal.request() takes keys that were typed before the connection was replaced", async ({ it, time }) => {
  const next = await goesOn(time, it.resume());
  it.socket.type("echo la''te\r");
  await goesOn(time, it.shows(/\nlate\r\n/, next));
  await time.pass(9_000, { stepMs: 1_000 });
  assertEquals(it.socket.isClosed, false);
  await time.pass(1_000);
  assertEquals([it.socket.isClosed, next.isClosed], [true, false]);
  const [one, two] = [await goesOn(time, it.resume()), await goesOn(time, it.resume())];
  assertEquals([next.isClosed, one.isClosed, two.isClosed], [true, false, false]);
});

inTime.test("Terminal.request() dials once while it dials, again when that was in vain, and anew when it hangs", async ({ it, time }) => {
  const dials: PromiseWithResolvers<TerminalSocket | undefined>[] = [];
  it.opener.dial = () => {
    const dial = Promise.withResolvers<TerminalSocket | undefined>();
    dials.push(dial);
    return dial.promise;
  };
  const asks = async (count: number) => {
    for (let times = 0; times < 5; times++) it.terminal.request();
    await time.run(0);
    assertEquals(dials.length, count);
  };
  await asks(1);
  dials[0]?.resolve(undefined);
  await time.run(0);
  assertEquals(dials.length, 2, "the panel had no user yet, and has one now");
  await time.pass(1_000);
  await asks(3);
  const [late, next] = [new TerminalSocket(), new TerminalSocket()];
  dials[2]?.resolve(next);
  dials[1]?.resolve(late);
  await goesOn(time, it.say("echo he''re", /here/, next));
  assertEquals([dials.length, late.isClosed], [3, true]);
});

inTime.test("Terminal.run() dials again and again when its connection was lost, until the panel has no user for it", async ({ it, time }) => {
  let dialled = 0;
  it.opener.dial = () => {
    dialled++;
    if (dialled < 3) throw new Error("unreachable");
    return undefined;
  };
  it.socket.wasLost = true;
  it.socket.end("the connection was lost");
  await time.until(eventually(() => dialled === 3), { withinMs: 60_000, stepMs: 100 });
  await time.pass(60_000, { stepMs: 1_000 });
  assertEquals(dialled, 3, it.lines.join("\n"));
  await goesOn(time, it.say("echo aga''in", /again/, await goesOn(time, it.resume())));
});

inTime.test("Terminal.run() dials once a second while each connection is lost at once", async ({ it, time }) => {
  const lose = (socket: TerminalSocket) => {
    socket.wasLost = true;
    socket.end("the connection was lost");
    return socket;
  };
  let dialled = 0;
  it.opener.dial = () => ++dialled > 100 ? undefined : lose(new TerminalSocket());
  lose(it.socket);
  await time.pass(10_000, { stepMs: 100 });
  assertEquals(dialled, 11, "the first one at once");
});

inTime.test("Terminal.run() gives up a connection on which nothing comes, and no idle one", async ({ it, time }) => {
  await time.pass(10 * 60_000, { stepMs: 5_000 });
  assertEquals(it.opener.sockets.length, 1, "one that answers is kept");
  it.socket.isSilent = true;
  it.opener.dial = () => new TerminalSocket();
  await time.pass(30_000, { stepMs: 5_000 });
  assertEquals(it.opener.sockets.length, 1, "it may be slow");
  await time.pass(30_000, { stepMs: 5_000 });
  assertEquals(it.opener.sockets.length, 2);
});

inTime.test("Terminal.check() gives up a connection that does not answer within 5 s, and no other", async ({ it, time }) => {
  it.opener.dial = () => new TerminalSocket();
  for (const [isSilent, dials] of [[false, 1], [true, 2]] as const) {
    it.socket.isSilent = isSilent;
    it.terminal.check();
    await time.pass(4_900, { stepMs: 100 });
    assertEquals(it.opener.sockets.length, 1);
    await time.pass(200, { stepMs: 100 });
    assertEquals(it.opener.sockets.length, dials);
  }
});

inTime.test("Terminal.run() ends a shell that was without a connection for five minutes", async ({ it, time }) => {
  it.socket.close();
  await it.detached();
  const again = await goesOn(time, it.resume());
  await time.pass(6 * 60_000, { stepMs: 10_000 });
  assert(!it.terminal.isOver, "it has a connection");
  again.close();
  await it.detached(2);
  await time.pass(5 * 60_000 - 1, { stepMs: 60_000 });
  assert(!it.terminal.isOver, "it lives for so long");
  await time.until(it.ended, { withinMs: 1_000, stepMs: 1 });
});
