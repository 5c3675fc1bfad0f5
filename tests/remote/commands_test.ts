import { assert, assertEquals } from "@std/assert";
import { PanelError } from "../../lib/panel/panel_error.ts";
import { wholeText } from "../../lib/types.ts";
import { FakeTime, timed } from "../fake_time.ts";
import { collectedLog } from "../log/collected_log.ts";
import { TempFolder } from "../temp_folder.ts";
import { ControlUnderTest, withControl } from "./control_fixture.ts";
import { eventually } from "./processes_below.ts";

const HOUR_MS = 60 * 60_000;

Deno.test("Commands.handle() tries for an hour to send a result, and says when it gives up", async () => {
  const refused = "a -1 Remote control is disabled.";
  const OUTAGES = [[HOUR_MS - 60_000, refused], [HOUR_MS + 120_000, ""]] as const;
  for (const [outageMs, expected] of OUTAGES) {
    using time = new FakeTime();
    await using it = new ControlUnderTest({ isOff: true });
    it.panel.sender.beforeEach = () => {
      if (performance.now() < outageMs) throw new Error("the panel is away");
    };
    const lines = await collectedLog(async () => {
      it.run("a");
      await time.run(2 * HOUR_MS);
    });
    assertEquals(it.results.join(), expected);
    const gaveUp = /Gave up the result of command a: the panel/.test(lines.join());
    assertEquals(gaveUp, expected === "");
  }
});

timed.test("Commands.handle() refuses what comes after the agent was told to stop, by one try", async (time) => {
  await using it = new ControlUnderTest();
  const closing = it.control.close();
  it.run("during");
  await time.run(1_000);
  await closing;
  it.run("after");
  await time.run(0);
  const text = "-1 The agent stopped before the command ran.";
  assertEquals(it.results, [`during ${text}`, `after ${text}`]);
  it.panel.sender.beforeEach = () => Promise.reject(new Error("the connection is closed"));
  it.run("too late");
  await time.run(HOUR_MS);
  assertEquals(time.timers, 0);
});

withControl.test("Commands keeps 24 MiB of all results for a panel that takes none, and loses no result", async (it) => {
  const away = Promise.withResolvers<void>();
  it.panel.sender.beforeEach = () => away.promise;
  using folder = new TempFolder();
  for (let id = 1; id <= 12; id++) {
    it.run(`${id}`, `head -c 4194304 /dev/zero | tr '\\0' x; touch ${folder.path}/${id}`);
  }
  await eventually(() => [...Deno.readDirSync(folder.path)].length === 12);
  away.resolve();
  const total = (await it.has(12)).join("").length;
  assert(total > 22 * 2 ** 20, `${total}`);
  // The first one was on its way.
  assert(total < 29 * 2 ** 20, `${total}`);
  assert(it.results.some((result) => result.endsWith("bytes of output were cut off]")));
});

withControl.test("Commands cuts a result that is too long for the panel at a whole character", async (it) => {
  const outputs: string[] = [];
  it.panel.sender.sendCommandResult = ({ output }) => {
    outputs.push(wholeText(output));
    if (outputs.length > 1) return Promise.resolve();
    const tooLarge = { failure: "unavailable", status: 413 } as const;
    return Promise.reject(new PanelError("Cannot send: status 413", tooLarge));
  };
  it.run("a", "head -c 65535 /dev/zero | tr '\\0' x; printf '\\360\\237\\230\\200'");
  await eventually(() => outputs.length === 2);
  const [whole = "", short = ""] = outputs;
  assertEquals([whole.length, whole.endsWith("x\u{1F600}")], [65_537, true]);
  assertEquals([short.isWellFormed(), short.slice(65_534, 65_536)], [true, "x\uFFFD"]);
  assertEquals(short.slice(65_536).startsWith("\n[1 more characters were cut off"), true);
});
