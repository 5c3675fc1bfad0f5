import { assert, assertEquals } from "@std/assert";
import { timed } from "../fake_time.ts";
import { collectedDebugLog } from "../log/collected_log.ts";
import { ControlUnderTest, logOf, wherePty } from "./control_fixture.ts";
import { dialForever } from "./fake_panel.ts";
import { eventually } from "./processes_below.ts";
import type { TerminalSocket } from "./terminal_socket.ts";

/** How a terminal ends, and whether it could have been resumed. */
const ENDS: [how: string, resumable: boolean, end: (it: TerminalSocket) => void][] = [
  ["the user has closed the old one", true, (it) => it.say({ type: "close" })],
  ["the old one could not be resumed", false, (it) => it.close()],
];
for (const [how, resumable, end] of ENDS) {
  wherePty.test(`Terminals.handle() opens a new shell when ${how}`, async () => {
    const lines = await logOf(async (it) => {
      const { sockets } = it.panel.opener;
      const say = (text: string, shows: string) => {
        sockets.at(-1)?.type(`${text}\r`);
        return eventually(() => sockets.at(-1)?.text.includes(shows) === true);
      };
      it.open("a", resumable);
      await eventually(() => sockets.length === 1);
      await say("word=kept; echo fi''rst", "first");
      sockets.forEach(end);
      await eventually(() => (it.open("a", true), sockets.length === 2));
      await say("echo [$word]", "[]");
    }, { level: "debug" });
    assert(!lines.some((line) => line.includes("has no connection")), "none was waited for");
  });
}

wherePty.test("Terminals logs few of many terminals", async () => {
  const lines = await logOf(async (it) => {
    it.panel.opener.dial = () => {
      throw new Error("unreachable");
    };
    for (let count = 0; count < 200; count++) {
      it.open(`${count}`);
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
  }, { level: "debug" });
  const levels = Map.groupBy(lines, (line) => /unreachable/.test(line) && line.split(" ")[1]);
  assertEquals([...levels].map(([level, { length }]) => [level, length]), [
    ["warning", 5],
    ["debug", 195],
  ]);
});

timed.test("Terminals refuses one request at a time, six a minute, and gives up after 30 s", async (time) => {
  await using it = new ControlUnderTest({ isOff: true });
  let dialled = 0;
  it.panel.opener.dial = (signal) => {
    dialled++;
    return dialled === 1 ? dialForever(signal) : Promise.reject(new Error("unreachable"));
  };
  const lines = await collectedDebugLog(async () => {
    for (const [ms, expected] of [[0, 1], [29_999, 1], [1, 6], [30_000, 12]] as const) {
      for (let id = 0; id < 160; id++) {
        await time.run(id === 0 ? ms : 0).then(() => it.open(`${id}`));
      }
      assertEquals(dialled, expected);
    }
  });
  assertEquals(lines.filter((line) => line.endsWith("no answer within 30 s")).length, 1);
});
