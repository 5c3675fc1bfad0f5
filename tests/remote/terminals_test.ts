import { assert, assertEquals } from "@std/assert";
import { Programs } from "../../lib/host/programs.ts";
import { Terminals } from "../../lib/remote/terminals.ts";
import { timed } from "../fake_time.ts";
import { ShellHome } from "../shell_home.ts";
import { collectedLog } from "../log/collected_log.ts";
import { dialForever, FakeOpener } from "./fake_panel.ts";
import type { TerminalSocket } from "./terminal_socket.ts";
import { eventually } from "./processes_below.ts";
import { onlyIf } from "../only_on.ts";

const programs = new Programs();
const ignore = programs.find("script", Deno.env.get("PATH") ?? "") === undefined;

const REQUEST = { kind: "terminal", requestId: "a", resumable: true } as const;

/** What terminals log at level debug while a test uses them. */
function logOf(
  use: (terminals: Terminals, opener: FakeOpener) => Promise<void>,
): Promise<string[]> {
  return collectedLog(async () => {
    using _home = new ShellHome();
    const opener = new FakeOpener();
    const terminals = new Terminals(programs, opener, 60 * 60_000);
    await use(terminals, opener).finally(() => terminals.close());
    assert(opener.sockets.every(({ isClosed }) => isClosed));
  }, { level: "debug" });
}

const here = onlyIf(!ignore);

for (
  const [how, resumable, end] of [
    ["the user has closed the old one", true, (it) => it.say({ type: "close" })],
    ["the old one could not be resumed", false, (it) => it.close()],
  ] as [string, boolean, (it: TerminalSocket) => void][]
) {
  here.test(`Terminals.handle() opens a new shell when ${how}`, async () => {
    const lines = await logOf(async (terminals, { sockets }) => {
      const say = (text: string, shows: string) => {
        sockets.at(-1)?.type(`${text}\r`);
        return eventually(() => sockets.at(-1)?.text.includes(shows) === true);
      };
      terminals.handle({ ...REQUEST, resumable });
      await eventually(() => sockets.length === 1);
      await say("word=kept; echo fi''rst", "first");
      sockets.forEach(end);
      await eventually(() => (terminals.handle(REQUEST), sockets.length === 2));
      await say("echo [$word]", "[]");
    });
    assert(!lines.some((line) => line.includes("has no connection")), "none was waited for");
  });
}

here.test("Terminals logs few of many terminals", async () => {
  const lines = await logOf(async (terminals, opener) => {
    opener.dial = () => {
      throw new Error("unreachable");
    };
    for (let count = 0; count < 200; count++) {
      terminals.handle({ ...REQUEST, requestId: `${count}` });
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
  });
  const levels = Map.groupBy(lines, (line) => /unreachable/.test(line) && line.split(" ")[1]);
  assertEquals([...levels].map(([level, { length }]) => [level, length]), [
    ["warning", 5],
    ["debug", 195],
  ]);
});

timed.test("Terminals refuses 64 requests at a time, and gives up a connection after 30 s", async (time) => {
  let dialled = 0;
  let off: Terminals | undefined;
  const lines = await logOf(async (_, opener) => {
    opener.dial = (signal) => {
      dialled++;
      return dialForever(signal);
    };
    off = new Terminals(undefined, opener, 60_000);
    for (let id = 0; id < 160; id++) off.handle({ ...REQUEST, requestId: `${id}` });
    await time.run(29_999);
    off.handle(REQUEST);
    assertEquals(dialled, 64);
    await time.run(1);
    off.handle(REQUEST);
    assertEquals(dialled, 65);
  });
  assertEquals(lines.filter((line) => line.endsWith("no answer within 30 s")).length, 64);
  await off?.close();
});
