import { assert, assertEquals } from "@std/assert";
import { Programs } from "../../lib/host/programs.ts";
import { PanelError } from "../../lib/panel/panel_error.ts";
import { wholeText } from "../../lib/types.ts";
import { Commands } from "../../lib/remote/commands.ts";
import { FakeTime, timed } from "../fake_time.ts";
import { collectedLog } from "../log/collected_log.ts";
import { TempFolder } from "../temp_folder.ts";
import { ShellHome } from "../shell_home.ts";
import { FakeSender } from "./fake_panel.ts";
import { eventually } from "./processes_below.ts";

const HOUR_MS = 60 * 60_000;

Deno.test("Commands.handle() tries for an hour to send a result, and says when it gives up", async () => {
  for (const [outageMs, expected] of [[HOUR_MS - 60_000, "a"], [HOUR_MS + 120_000, ""]] as const) {
    using time = new FakeTime();
    const sender = new FakeSender();
    sender.beforeEach = () => {
      if (performance.now() < outageMs) throw new Error("the panel is away");
    };
    const commands = new Commands(undefined, sender, { timeoutMs: HOUR_MS });
    const lines = await collectedLog(async () => {
      commands.handle({ kind: "command", taskId: "a", command: "true" });
      await time.run(2 * HOUR_MS);
      await commands.close();
    });
    assertEquals(sender.commandResults.map(({ taskId }) => taskId).join(), expected);
    const gaveUp = lines.some((line) =>
      line.includes("Gave up the result of command a: the panel")
    );
    assertEquals(gaveUp, expected === "");
  }
});

timed.test("Commands.handle() refuses what comes after the agent was told to stop, by one try", async (time) => {
  const sender = new FakeSender();
  const commands = new Commands(new Programs(), sender, { timeoutMs: HOUR_MS });
  const closing = commands.close();
  commands.handle({ kind: "command", taskId: "during", command: "true" });
  await time.run(1_000);
  await closing;
  commands.handle({ kind: "command", taskId: "after", command: "true" });
  await time.run(0);
  const results = sender.commandResults.map(({ taskId, output, exitCode }) => [
    taskId,
    output,
    exitCode,
  ]);
  const text = "The agent stopped before the command ran.";
  assertEquals(results, [["during", text, -1], ["after", text, -1]]);
  sender.beforeEach = () => Promise.reject(new Error("the connection is closed"));
  commands.handle({ kind: "command", taskId: "too late", command: "true" });
  await time.run(HOUR_MS);
  assertEquals(time.timers, 0);
});

Deno.test("Commands keeps 24 MiB of all results for a panel that takes none, and loses no result", async () => {
  const sender = new FakeSender();
  const away = Promise.withResolvers<void>();
  sender.beforeEach = () => away.promise;
  const commands = new Commands(new Programs(), sender, { timeoutMs: HOUR_MS });
  using _home = new ShellHome();
  using folder = new TempFolder();
  for (let id = 1; id <= 12; id++) {
    const command = `head -c 4194304 /dev/zero | tr '\\0' x; touch ${folder.path}/${id}`;
    commands.handle({ kind: "command", taskId: `${id}`, command });
  }
  await eventually(() => [...Deno.readDirSync(folder.path)].length === 12);
  away.resolve();
  await eventually(() => sender.commandResults.length === 12);
  const lengths = sender.commandResults.map(({ output }) => output.length);
  const total = lengths.reduce((a, b) => a + b);
  assert(total > 22 * 2 ** 20, `${lengths}`);
  // The first one was on its way.
  assert(total < 29 * 2 ** 20, `${lengths}`);
  assert(
    sender.commandResults.some(({ output }) => output.endsWith("bytes of output were cut off]")),
  );
  await commands.close();
});

Deno.test("Commands cuts a result that is too long for the panel at a whole character", async () => {
  const outputs: string[] = [];
  const sender = new FakeSender();
  sender.sendCommandResult = ({ output }) => {
    outputs.push(wholeText(output));
    if (outputs.length > 1) return Promise.resolve();
    const tooLarge = { failure: "unavailable", status: 413 } as const;
    return Promise.reject(new PanelError("Cannot send: status 413", tooLarge));
  };
  const commands = new Commands(new Programs(), sender, { timeoutMs: HOUR_MS });
  using _home = new ShellHome();
  const command = "head -c 65535 /dev/zero | tr '\\0' x; printf '\\360\\237\\230\\200'";
  commands.handle({ kind: "command", taskId: "a", command });
  await eventually(() => outputs.length === 2);
  await commands.close();
  const [whole = "", short = ""] = outputs;
  assertEquals([whole.length, whole.endsWith("x\u{1F600}")], [65_537, true]);
  assertEquals([short.isWellFormed(), short.slice(65_534, 65_536)], [true, "x\uFFFD"]);
  assertEquals(short.slice(65_536).startsWith("\n[1 more characters were cut off"), true);
});
