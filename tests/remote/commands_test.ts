import { assert, assertEquals } from "@std/assert";
import { Programs } from "../../lib/host/programs.ts";
import { PanelError } from "../../lib/panel/panel_error.ts";
import { wholeText } from "../../lib/types.ts";
import { Commands } from "../../lib/remote/commands.ts";
import { FakeTime, timed } from "../fake_time.ts";
import { collectedLog } from "../log/collected_log.ts";
import { TempFolder } from "../temp_folder.ts";
import { ShellHome } from "../shell_home.ts";
import { testsWith } from "../tests_with.ts";
import { FakeSender } from "./fake_panel.ts";
import { eventually } from "./processes_below.ts";

const HOUR_MS = 60 * 60_000;

/** Commands of a panel that a test plays. */
class CommandsUnderTest implements AsyncDisposable {
  readonly #home = new ShellHome();
  readonly sender = new FakeSender();
  readonly commands: Commands;

  constructor(programs: Programs | undefined) {
    this.commands = new Commands(programs, this.sender, HOUR_MS);
  }

  run(taskId: string, command = "true"): void {
    this.commands.handle({ kind: "command", taskId, command });
  }

  /** The results that the panel has. */
  get results(): string[] {
    const { commandResults } = this.sender;
    return commandResults.map(({ taskId, output, exitCode }) => `${taskId} ${exitCode} ${output}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    using _ = this.#home;
    await this.commands.close();
  }
}

const withCommands = testsWith(() => new CommandsUnderTest(new Programs()));

Deno.test("Commands.handle() tries for an hour to send a result, and says when it gives up", async () => {
  const refused = "a -1 Remote control is disabled.";
  for (
    const [outageMs, expected] of [[HOUR_MS - 60_000, refused], [HOUR_MS + 120_000, ""]] as const
  ) {
    using time = new FakeTime();
    await using it = new CommandsUnderTest(undefined);
    it.sender.beforeEach = () => {
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
  await using it = new CommandsUnderTest(new Programs());
  const closing = it.commands.close();
  it.run("during");
  await time.run(1_000);
  await closing;
  it.run("after");
  await time.run(0);
  const text = "-1 The agent stopped before the command ran.";
  assertEquals(it.results, [`during ${text}`, `after ${text}`]);
  it.sender.beforeEach = () => Promise.reject(new Error("the connection is closed"));
  it.run("too late");
  await time.run(HOUR_MS);
  assertEquals(time.timers, 0);
});

withCommands.test("Commands keeps 24 MiB of all results for a panel that takes none, and loses no result", async (it) => {
  const away = Promise.withResolvers<void>();
  it.sender.beforeEach = () => away.promise;
  using folder = new TempFolder();
  for (let id = 1; id <= 12; id++) {
    it.run(`${id}`, `head -c 4194304 /dev/zero | tr '\\0' x; touch ${folder.path}/${id}`);
  }
  await eventually(() => [...Deno.readDirSync(folder.path)].length === 12);
  away.resolve();
  await eventually(() => it.results.length === 12);
  const total = it.results.join("").length;
  assert(total > 22 * 2 ** 20, `${total}`);
  // The first one was on its way.
  assert(total < 29 * 2 ** 20, `${total}`);
  assert(it.results.some((result) => result.endsWith("bytes of output were cut off]")));
});

withCommands.test("Commands cuts a result that is too long for the panel at a whole character", async (it) => {
  const outputs: string[] = [];
  it.sender.sendCommandResult = ({ output }) => {
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
