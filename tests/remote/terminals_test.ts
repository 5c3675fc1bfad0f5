import { assert, assertEquals, assertMatch } from "@std/assert";
import { Programs } from "../../lib/host/programs.ts";
import { Terminals } from "../../lib/remote/terminals.ts";
import { FakeTime } from "../fake_time.ts";
import { withShellHome } from "../shell_home.ts";
import { collectedLog } from "../log/collected_log.ts";
import { FakeOpener } from "./fake_panel.ts";
import type { TerminalSocket } from "./terminal_socket.ts";
import { eventually } from "./processes_below.ts";

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
  return await collectedLog((lines) =>
    withShellHome(async () => {
      const terminals = new Terminals(programs, opener, { idleMs: 60 * 60_000 });
      try {
        await use({ terminals, opener, sockets, lines });
      } finally {
        await terminals.close();
      }
      assert(sockets.every(({ isClosed }) => isClosed));
    }), { level: "debug" });
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
  await eventually(() => socket.text.includes(text), { told: () => socket.text, withinMs: 10_000 });
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

test("Terminals.handle() ignores a request while its terminal is connected", async (panel) => {
  const { terminals, sockets } = panel;
  for (let count = 0; count < 5; count++) terminals.handle(REQUEST);
  await eventually(() => sockets.length === 1);
  await say(sockets[0], "here");
  terminals.handle(REQUEST);
  await say(sockets[0], "still");
  assertEquals(sockets.length, 1);
});

test("Terminals.handle() connects again when the request overtakes the connection's end", async (panel) => {
  using time = new FakeTime();
  const { terminals, sockets } = panel;
  const first = await goesOn(time, connected(panel));
  first.type("word=ke''pt\r");
  await goesOn(time, say(first, "first"));
  terminals.handle(REQUEST);
  time.tick(5_000);
  first.close();
  await goesOn(time, eventually(() => sockets.length === 2));
  sockets[1]?.type("echo $word\r");
  await goesOn(time, eventually(() => sockets[1]?.text.includes("kept") === true));
  terminals.handle(REQUEST);
  time.tick(5_001);
  sockets[1]?.close();
  await goesOn(time, detached(panel, 2));
  assertEquals(sockets.length, 2, "one that came long before is a duplicate");
});

test("Terminals.handle() connects once for each request, whenever it came", async (panel) => {
  using time = new FakeTime();
  const { terminals, sockets } = panel;
  const first = await goesOn(time, connected(panel));
  await goesOn(time, say(first, "first"));
  // This request comes before the end of the connection, and the next one after it.
  terminals.handle(REQUEST);
  first.close();
  await goesOn(time, eventually(() => sockets.length === 2));
  sockets[1]?.close();
  await goesOn(time, detached(panel, 2));
  assertEquals(sockets.length, 2, "the first request was answered already");
  terminals.handle(REQUEST);
  await goesOn(time, eventually(() => sockets.length === 3));
  sockets[2]?.close();
  await goesOn(time, detached(panel, 3));
  assertEquals(sockets.length, 3, "and so was the second");
});

test("Terminals.handle() connects the same shell again", async (panel) => {
  const first = await connected(panel);
  first.type("word=ke''pt\r");
  await say(first, "first");
  first.close();
  const second = await connected(panel);
  second.type("echo $word\r");
  await eventually(() => second.text.includes("kept"));
  second.close();
  await say(await connected(panel), "third");
});

test("Terminals.handle() opens a new shell when the user has closed the old one", async (panel) => {
  const first = await connected(panel);
  first.type("word=kept\r");
  await say(first, "first");
  first.say({ type: "close" });
  await eventually(() => first.isClosed);
  const second = await connected(panel);
  second.type("echo [$word]\r");
  await eventually(() => second.text.includes("[]"));
  assert(!panel.lines.some((line) => line.includes("has no connection")), "none was waited for");
});

test("Terminals.handle() ends the shell with its connection when it can't be resumed", async (panel) => {
  const first = await connected(panel, { requestId: "a", resumable: false });
  first.type("word=kept\r");
  await say(first, "first");
  first.close();
  const second = await connected(panel);
  second.type("echo [$word]\r");
  await eventually(() => second.text.includes("[]"));
});

test("Terminals ends a shell that was without a connection for five minutes", async (panel) => {
  {
    using time = new FakeTime();
    const first = await goesOn(time, connected(panel));
    first.type("word=kept\r");
    await goesOn(time, say(first, "first"));
    first.close();
    await eventually(() => panel.lines.some((line) => line.endsWith("has no connection")));
    const ended = () => panel.lines.some((line) => line.includes("Terminal a ended"));
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
  for (
    const answer of [() => undefined, () => {
      throw new Error("unreachable");
    }]
  ) {
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

test("Terminals ends the one without a connection when another needs its place", async (panel) => {
  const { sockets } = panel;
  for (const requestId of ["a", "b", "c", "d"]) {
    await say(await connected(panel, { requestId, resumable: true }), `in-${requestId}`);
  }
  sockets[1]?.close();
  await detached(panel);
  const fifth = await connected(panel, { requestId: "e", resumable: true });
  await say(fifth, "fifth");
  const sixth = await connected(panel, { requestId: "f", resumable: true });
  await eventually(() => sixth.isClosed);
  assertMatch(sixth.text, /^Cannot open a terminal: 4 are open already/);
});

test("Terminals ends the one that has been without a connection for longest", async (panel) => {
  const { sockets, lines } = panel;
  for (const requestId of ["a", "b", "c", "d"]) {
    await say(await connected(panel, { requestId, resumable: true }), `in-${requestId}`);
  }
  for (const [index, at] of [2, 0, 1].entries()) {
    sockets[at]?.close();
    await detached(panel, index + 1);
  }
  for (const [requestId, ended] of [["e", "c"], ["f", "a"]] as const) {
    await say(await connected(panel, { requestId, resumable: true }), `in-${requestId}`);
    await eventually(() => lines.some((line) => line.includes(`Terminal ${ended} ended`)));
  }
  assert(!lines.some((line) => line.includes("Terminal b ended")), lines.join("\n"));
});

Deno.test({
  name: "Terminals logs no warning when the user has gone",
  ignore,
  fn: async () => {
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
  },
});

Deno.test({
  name: "Terminals logs few of many terminals",
  ignore,
  fn: async () => {
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
  },
});

test("Terminals gives up a connection after 30 s, and with it the refusals that wait", async (panel) => {
  using time = new FakeTime();
  const { opener, lines } = panel;
  let dialled = 0;
  opener.dial = () => {
    dialled++;
    return new Promise(() => {});
  };
  const off = new Terminals(undefined, opener, { idleMs: 60_000 });
  for (let id = 0; id < 20; id++) off.handle({ ...REQUEST, requestId: `${id}` });
  const failed = () => lines.filter((line) => line.includes("Cannot connect the terminal")).length;
  await time.pass(29_999, { stepMs: 10_000 });
  assertEquals([dialled, failed()], [4, 0]);
  await time.pass(1);
  await time.pass(60_000, { stepMs: 10_000 });
  assertEquals([dialled, failed()], [4, 4], "the panel waits for the others no more");
  await off.close();
});

Deno.test("Terminals refuses a request once while it is being refused, and again when it is asked anew", async () => {
  const opener = new FakeOpener();
  const { sockets } = opener;
  const off = new Terminals(undefined, opener, { idleMs: 60_000 });
  for (const dialled of [1, 2]) {
    off.handle(REQUEST);
    off.handle(REQUEST);
    await eventually(() => sockets.length === dialled && sockets.at(-1)?.isClosed === true);
    await new Promise((resolve) => setTimeout(resolve, 1));
    assertEquals(sockets.length, dialled);
  }
  await off.close();
});
