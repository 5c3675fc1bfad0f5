import { assert, assertEquals } from "@std/assert";
import { Programs } from "../../lib/host/programs.ts";
import { PanelError } from "../../lib/panel/panel_error.ts";
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

test("Terminals.handle() dials at once for a terminal that seems to be connected, and shows what was missed", async (panel) => {
  using time = new FakeTime();
  const { terminals, opener, sockets } = panel;
  opener.dial = () => Object.assign(new TerminalSocket(), { answersPings: true });
  const first = await goesOn(time, connected(panel));
  first.type("word=ke''pt\r");
  await goesOn(time, say(first, "first"));
  time.tick(1_001);
  // The line is dead, and neither side knows.
  first.isSilent = true;
  first.type("echo $word mi''ssed\r");
  await goesOn(time, eventually(() => first.sent.length > 0));
  await time.pass(100, { stepMs: 1 });
  terminals.handle(REQUEST);
  const second = await goesOn(time, eventually(() => sockets.length === 2).then(() => sockets[1]));
  assert(second !== undefined);
  await goesOn(time, eventually(() => second.text.includes("kept missed")));
  assert(first.isClosed);
  assert(
    !second.text.includes("first"),
    `what the panel has confirmed is not sent again: ${second.text}`,
  );
  await goesOn(time, say(second, "second"));
});

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

test("Terminals.handle() gives up a connection attempt that hangs for the next request", async (panel) => {
  using time = new FakeTime();
  const { terminals, opener, sockets } = panel;
  await goesOn(time, say(await goesOn(time, connected(panel)), "first"));
  const { dial } = opener;
  opener.dial = () => new Promise(() => {});
  time.tick(1_001);
  terminals.handle(REQUEST);
  opener.dial = dial;
  time.tick(1_001);
  terminals.handle(REQUEST);
  await goesOn(time, eventually(() => sockets.length === 2));
  await goesOn(time, say(sockets[1], "second"));
});

test("Terminals.check() dials anew what does not answer within 5 s, and nothing else", async (panel) => {
  using time = new FakeTime();
  const { terminals, opener, sockets } = panel;
  opener.dial = () => Object.assign(new TerminalSocket(), { answersPings: true });
  for (const requestId of ["a", "b"]) {
    await goesOn(time, say(await goesOn(time, connected(panel, { requestId })), `in-${requestId}`));
  }
  terminals.check();
  await time.pass(10_000, { stepMs: 1_000 });
  assertEquals(sockets.length, 2);
  const [dead] = sockets;
  assert(dead !== undefined);
  dead.isSilent = true;
  terminals.check();
  await time.pass(4_999, { stepMs: 1_000 });
  assertEquals(sockets.length, 2);
  await time.pass(1);
  await goesOn(time, eventually(() => sockets.length === 3));
  assertEquals(sockets.map(({ isClosed }) => isClosed), [true, false, false]);
  await goesOn(time, say(sockets[2], "again"));
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

test("Terminals dials no sooner than a 429 wants, unless the user asks", async (panel) => {
  using time = new FakeTime();
  const { opener, terminals } = panel;
  const first = await goesOn(time, connected(panel));
  const dialledAtMs: number[] = [];
  opener.dial = () => {
    dialledAtMs.push(performance.now());
    const retryAfterMs = dialledAtMs.length <= 2 ? 45_000 : undefined;
    throw new PanelError("429", { failure: "unavailable", status: 429, retryAfterMs });
  };
  first.wasLost = true;
  first.end("the connection was lost");
  await time.pass(20_000, { stepMs: 500 });
  assertEquals(dialledAtMs.length, 1);
  terminals.handle(REQUEST);
  await time.run(0);
  assertEquals(dialledAtMs.length, 2);
  await time.pass(70_000, { stepMs: 500 });
  const [, askedAtMs = NaN, thirdAtMs = NaN, fourthAtMs = NaN] = dialledAtMs;
  const waitedMs = thirdAtMs - askedAtMs;
  assert(waitedMs >= 45_000 && waitedMs < 46_000, `${waitedMs}`);
  assert(fourthAtMs - thirdAtMs < 3_000, "and then as usual");
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

test("Terminals keeps the shell when the panel asks but can't be reached", async (panel) => {
  const { opener, terminals } = panel;
  const first = await connected(panel);
  await say(first, "first");
  first.close();
  await detached(panel);
  const { dial } = opener;
  let dialled = 0;
  const answers = [() => undefined, () => {
    throw new Error("unreachable");
  }];
  for (const answer of answers) {
    opener.dial = () => {
      dialled++;
      return answer();
    };
    const before = dialled;
    await eventually(() => {
      terminals.handle(REQUEST);
      return dialled > before;
    });
  }
  opener.dial = dial;
  await say(await connected(panel), "again");
});

const here = onlyIf(!ignore);

here.test("Terminals logs no warning when the user has gone", async () => {
  const lines = await withTerminals(async ({ terminals, opener }) => {
    let dialled = 0;
    opener.dial = () => {
      dialled++;
      return undefined;
    };
    terminals.handle(REQUEST);
    await eventually(() => dialled === 1);
  });
  assertEquals(lines, []);
});

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
