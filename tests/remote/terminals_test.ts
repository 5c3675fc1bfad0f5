import { assert, assertEquals } from "@std/assert";
import { Programs } from "../../lib/host/programs.ts";
import { Terminals } from "../../lib/remote/terminals.ts";
import { FakeTime } from "../fake_time.ts";
import { ShellHome } from "../shell_home.ts";
import { collectedLog } from "../log/collected_log.ts";
import { FakeOpener } from "./fake_panel.ts";
import { TerminalSocket } from "./terminal_socket.ts";
import { eventually } from "./processes_below.ts";
import { onlyIf } from "../only_on.ts";

const programs = new Programs();
const ignore = programs.find("script", Deno.env.get("PATH") ?? "") === undefined;

interface Panel {
  readonly terminals: Terminals;
  readonly opener: FakeOpener;
  /** Connections in the order in which they were dialled. */
  readonly sockets: TerminalSocket[];
  /** The log, at level debug. */
  readonly lines: string[];
}

async function withTerminals(use: (panel: Panel) => Promise<void>): Promise<string[]> {
  const opener = new FakeOpener();
  const { sockets } = opener;
  return await collectedLog(async (lines) => {
    using _home = new ShellHome();
    const terminals = new Terminals(programs, opener, { idleMs: 60 * 60_000 });
    try {
      await use({ terminals, opener, sockets, lines });
    } finally {
      await terminals.close();
    }
    assert(sockets.every(({ isClosed }) => isClosed));
  }, { level: "debug" });
}

function test(name: string, use: (panel: Panel) => Promise<void>): void {
  Deno.test({ name, ignore, fn: () => withTerminals(use).then(() => {}) });
}

const REQUEST = { kind: "terminal", requestId: "a", resumable: true } as const;

/** Waits for the terminal to notice that it has no connection, for the n-th time. */
async function detached({ lines }: Panel, times = 1): Promise<void> {
  const count = () => lines.filter((line) => line.endsWith("has no connection")).length;
  await eventually(() => count() === times, { told: () => lines.join("\n") });
}

/** Lets the shell of a terminal say something. */
async function say(socket: TerminalSocket | undefined, text: string): Promise<void> {
  assert(socket !== undefined);
  socket.type(`echo ${text.slice(0, 1)}''${text.slice(1)}\r`);
  await eventually(() => socket.text.includes(text), { told: () => socket.text });
}

/** Lets time pass, which a shell's output needs, until something has happened. */
async function goesOn<T>(time: FakeTime, happening: Promise<T>): Promise<T> {
  await time.until(happening, { withinMs: 60_000, stepMs: 1 });
  return await happening;
}

/** Asks for a terminal until there is one more connection. */
async function connected(
  { terminals, sockets }: Panel,
  { requestId = "a", resumable = true } = {},
): Promise<TerminalSocket> {
  const { length } = sockets;
  await eventually(() => {
    if (sockets.length > length) return true;
    terminals.handle({ kind: "terminal", requestId, resumable });
    return false;
  });
  const socket = sockets.at(-1);
  assert(socket !== undefined);
  return socket;
}

test("Terminals.handle() dials once for requests that come while it dials, and again when that was in vain", async (panel) => {
  using time = new FakeTime();
  const { terminals, opener, sockets } = panel;
  await goesOn(time, say(await goesOn(time, connected(panel)), "first"));
  const outcomes = [undefined, new TerminalSocket()];
  const dials: PromiseWithResolvers<TerminalSocket | undefined>[] = [];
  opener.dial = () => {
    const dial = Promise.withResolvers<TerminalSocket | undefined>();
    dials.push(dial);
    return dial.promise;
  };
  for (let times = 0; times < 5; times++) terminals.handle(REQUEST);
  for (const [index, outcome] of outcomes.entries()) {
    await goesOn(time, eventually(() => dials.length === index + 1));
    dials[index]?.resolve(outcome);
  }
  await goesOn(time, say(outcomes[1], "second"));
  assertEquals([dials.length, sockets[0]?.isClosed], [2, true]);
});

test("Terminals dials again and again when a connection was lost, until the panel has no user for it", async (panel) => {
  using time = new FakeTime();
  const { opener, lines } = panel;
  const first = await goesOn(time, connected(panel));
  await goesOn(time, say(first, "first"));
  let dialled = 0;
  opener.dial = () => {
    dialled++;
    if (dialled < 3) throw new Error("unreachable");
    return undefined;
  };
  first.wasLost = true;
  first.end("the connection was lost");
  await time.until(eventually(() => dialled === 3), { withinMs: 60_000, stepMs: 100 });
  await time.pass(60_000, { stepMs: 1_000 });
  assertEquals(dialled, 3, lines.join("\n"));
  opener.dial = () => new TerminalSocket();
  await goesOn(time, say(await goesOn(time, connected(panel)), "again"));
});

test("Terminals notices an idle connection that is dead", async (panel) => {
  using time = new FakeTime();
  const { opener, sockets, lines } = panel;
  opener.dial = () => Object.assign(new TerminalSocket(), { answersPings: true });
  for (const requestId of ["a", "b", "c", "d"]) {
    await goesOn(time, say(await goesOn(time, connected(panel, { requestId })), `in-${requestId}`));
  }
  await time.pass(10 * 60_000, { stepMs: 5_000 });
  assertEquals(sockets.length, 4, "those that answer are kept");
  opener.dial = () => undefined;
  for (const socket of sockets) socket.isSilent = true;
  await time.pass(60_000, { stepMs: 5_000 });
  await goesOn(time, detached(panel, 4));
  assertEquals(lines.filter((line) => line.endsWith("has no connection")).length, 4);
});

for (const resumable of [true, false]) {
  const end = resumable ? "the user has closed the old one" : "the old one could not be resumed";
  test(`Terminals.handle() opens a new shell when ${end}`, async (panel) => {
    const first = await connected(panel, { resumable });
    first.type("word=kept\r");
    await say(first, "first");
    if (resumable) first.say({ type: "close" });
    else first.close();
    await eventually(() => first.isClosed);
    const second = await connected(panel);
    second.type("echo [$word]\r");
    await eventually(() => second.text.includes("[]"));
    assert(!panel.lines.some((line) => line.includes("has no connection")), "none was waited for");
  });
}

test("Terminals ends a shell that was without a connection for five minutes", async (panel) => {
  {
    using time = new FakeTime();
    const first = await goesOn(time, connected(panel));
    first.type("word=kept\r");
    await goesOn(time, say(first, "first"));
    first.close();
    await detached(panel);
    const ended = () => panel.lines.some((line) => line.includes("Terminal a ended"));
    const again = await goesOn(time, connected(panel));
    await time.pass(6 * 60_000, { stepMs: 60_000 });
    assert(!ended(), "it has a connection");
    again.close();
    await detached(panel, 2);
    await time.pass(5 * 60_000 - 1, { stepMs: 60_000 });
    assert(!ended(), "it lives for so long");
    await goesOn(time, eventually(ended));
  }
  const second = await connected(panel);
  second.type("echo [$word]\r");
  await eventually(() => second.text.includes("[]"));
});

const here = onlyIf(!ignore);

here.test("Terminals logs few of many terminals", async () => {
  const lines = await withTerminals(async ({ terminals, opener }) => {
    opener.dial = () => {
      throw new Error("unreachable");
    };
    for (let count = 0; count < 200; count++) {
      terminals.handle({ ...REQUEST, requestId: `${count}` });
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
  });
  const seen = lines.filter((line) => !line.includes("debug"));
  assertEquals(seen.filter((line) => line.includes("unreachable")).length, 5);
  assertEquals(seen.length, 5);
  assertEquals(lines.length, 200, "the others are at level debug");
});

test("Terminals refuses 64 requests at a time, and gives up a connection after 30 s", async (panel) => {
  using time = new FakeTime();
  const { opener, lines } = panel;
  let dialled = 0;
  opener.dial = () => {
    dialled++;
    return new Promise(() => {});
  };
  const off = new Terminals(undefined, opener, { idleMs: 60_000 });
  // One that is being refused is refused once.
  for (let id = 0; id < 160; id++) off.handle({ ...REQUEST, requestId: `${id >> 1}` });
  const failed = () => lines.filter((line) => line.includes("Cannot connect the terminal")).length;
  await time.pass(29_999, { stepMs: 10_000 });
  assertEquals([dialled, failed()], [64, 0]);
  await time.pass(1);
  assertEquals(failed(), 64);
  off.handle({ ...REQUEST, requestId: "0" });
  await time.pass(1);
  assertEquals(dialled, 65, "it may be asked anew");
  await off.close();
});
