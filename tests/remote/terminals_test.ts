import { assert, assertEquals, assertMatch } from "@std/assert";
import { type Clock, createClock } from "@sinonjs/fake-timers";
import { Programs } from "../../lib/host/programs.ts";
import { Terminals } from "../../lib/remote/terminals.ts";
import { collectedLog } from "./collected_log.ts";
import { FakeSocket } from "./fake_socket.ts";
import { eventually } from "./processes_below.ts";

const programs = new Programs();
const ignore = programs.find("script", Deno.env.get("PATH") ?? "") === undefined;

interface Panel {
  readonly terminals: Terminals;
  /** Connections in the order in which they were dialled. */
  readonly sockets: FakeSocket[];
  readonly clock: Clock;
  /** Set when the panel has no session, or can't be reached. */
  answer: { dial: () => FakeSocket | undefined };
}

async function withTerminals(use: (panel: Panel) => Promise<void>): Promise<void> {
  const clock = createClock();
  const sockets: FakeSocket[] = [];
  const answer: Panel["answer"] = { dial: () => new FakeSocket() };
  const terminals = new Terminals({
    programs,
    terminalIdleMs: 60 * 60_000,
    dialTerminal: async () => {
      await Promise.resolve();
      const socket = answer.dial();
      if (socket !== undefined) sockets.push(socket);
      return socket;
    },
    timers: clock,
    monotonicMs: () => clock.now,
  });
  try {
    await use({ terminals, sockets, clock, answer });
  } finally {
    await terminals.close();
  }
  assert(sockets.every(({ isClosed }) => isClosed));
}

function test(name: string, use: (panel: Panel) => Promise<void>): void {
  Deno.test({ name, ignore, fn: () => withTerminals(use) });
}

const REQUEST = { requestId: "a", resumable: true };

/** Lets the shell of a terminal say something. */
async function say(socket: FakeSocket | undefined, text: string): Promise<void> {
  assert(socket !== undefined);
  socket.type(`echo ${text.slice(0, 1)}''${text.slice(1)}\r`);
  await eventually(() => socket.text.includes(text), { told: () => socket.text, withinMs: 10_000 });
}

/** Asks for a terminal until there is one more connection. */
async function connected({ terminals, sockets }: Panel, request = REQUEST): Promise<FakeSocket> {
  const { length } = sockets;
  await eventually(() => {
    if (sockets.length > length) return true;
    terminals.add(request);
    return false;
  });
  const socket = sockets.at(-1);
  assert(socket !== undefined);
  return socket;
}

test("Terminals.add() ignores a request while its terminal is connected", async (panel) => {
  const { terminals, sockets } = panel;
  for (let count = 0; count < 5; count++) terminals.add(REQUEST);
  await eventually(() => sockets.length === 1);
  await say(sockets[0], "here");
  terminals.add(REQUEST);
  await say(sockets[0], "still");
  assertEquals(sockets.length, 1);
});

test("Terminals.add() connects again when the request overtakes the connection's end", async (panel) => {
  const { terminals, sockets, clock } = panel;
  const first = await connected(panel);
  first.type("word=ke''pt\r");
  await say(first, "first");
  terminals.add(REQUEST);
  first.close();
  await eventually(() => sockets.length === 2);
  sockets[1]?.type("echo $word\r");
  await eventually(() => sockets[1]?.text.includes("kept") === true);
  terminals.add(REQUEST);
  clock.tick(5_001);
  sockets[1]?.close();
  await eventually(() => clock.countTimers() === 2);
  assertEquals(sockets.length, 2, "one that came long before is a duplicate");
});

test("Terminals.add() connects the same shell again", async (panel) => {
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

test("Terminals.add() opens a new shell when the user has closed the old one", async (panel) => {
  const first = await connected(panel);
  first.type("word=kept\r");
  await say(first, "first");
  first.push('{"type":"close"}');
  await eventually(() => first.isClosed);
  const second = await connected(panel);
  second.type("echo [$word]\r");
  await eventually(() => second.text.includes("[]"));
});

test("Terminals.add() ends the shell with its connection when it can't be resumed", async (panel) => {
  const first = await connected(panel, { requestId: "a", resumable: false });
  first.type("word=kept\r");
  await say(first, "first");
  first.close();
  const second = await connected(panel);
  second.type("echo [$word]\r");
  await eventually(() => second.text.includes("[]"));
});

test("Terminals ends a shell that was without a connection for five minutes", async (panel) => {
  const { clock } = panel;
  const first = await connected(panel);
  first.type("word=kept\r");
  await say(first, "first");
  first.close();
  // The timer of the last key, and that of the lost connection.
  await eventually(() => clock.countTimers() === 2);
  clock.tick(5 * 60_000);
  await eventually(() => clock.countTimers() === 0);
  const second = await connected(panel);
  second.type("echo [$word]\r");
  await eventually(() => second.text.includes("[]"));
});

test("Terminals keeps the shell when the panel asks but can't be reached", async (panel) => {
  const { clock, answer, terminals } = panel;
  const first = await connected(panel);
  await say(first, "first");
  first.close();
  await eventually(() => clock.countTimers() === 2);
  let dialled = 0;
  for (
    const dial of [() => undefined, () => {
      throw new Error("unreachable");
    }]
  ) {
    answer.dial = () => {
      dialled++;
      return dial();
    };
    const before = dialled;
    await eventually(() => {
      terminals.add(REQUEST);
      return dialled > before;
    });
  }
  answer.dial = () => new FakeSocket();
  await say(await connected(panel), "again");
});

test("Terminals ends the one without a connection when another needs its place", async (panel) => {
  const { sockets } = panel;
  for (const requestId of ["a", "b", "c", "d"]) {
    await say(await connected(panel, { requestId, resumable: true }), `in-${requestId}`);
  }
  sockets[1]?.close();
  await eventually(() => panel.clock.countTimers() === 5);
  const fifth = await connected(panel, { requestId: "e", resumable: true });
  await say(fifth, "fifth");
  const sixth = await connected(panel, { requestId: "f", resumable: true });
  await eventually(() => sixth.isClosed);
  assertMatch(sixth.text, /^Cannot open a terminal: 4 are open already/);
});

Deno.test({
  name: "Terminals logs no warning when the user has gone",
  ignore,
  fn: async () => {
    const lines = await collectedLog(() =>
      withTerminals(async ({ terminals, answer }) => {
        let dialled = 0;
        answer.dial = () => {
          dialled++;
          return undefined;
        };
        terminals.add(REQUEST);
        await eventually(() => dialled === 1);
      })
    );
    assertEquals(lines, []);
  },
});

Deno.test({
  name: "Terminals logs few of many terminals",
  ignore,
  fn: async () => {
    const lines = await collectedLog(() =>
      withTerminals(async ({ terminals, sockets, answer }) => {
        answer.dial = () => {
          sockets.length;
          throw new Error("unreachable");
        };
        for (let count = 0; count < 200; count++) {
          terminals.add({ requestId: `${count}`, resumable: true });
          await new Promise((resolve) => setTimeout(resolve, 0));
        }
      })
    );
    assertEquals(lines.filter((line) => line.includes("unreachable")).length, 5);
  },
});
