import { assert, assertEquals, assertMatch } from "@std/assert";
import { Programs } from "../../lib/host/programs.ts";
import { Files } from "../../lib/remote/files.ts";
import { PanelError } from "../../lib/panel/panel_error.ts";
import type { FileResult } from "../../lib/types.ts";
import { FakeTime } from "../fake_time.ts";
import { collectedLog } from "../log/collected_log.ts";
import { ShellHome } from "../shell_home.ts";
import { FakePanel, type FakeSender } from "./fake_panel.ts";
import { eventually } from "./processes_below.ts";
import { testsWith } from "../tests_with.ts";

const programs = new Programs();

/** File requests of a panel that a test plays. */
class FilesUnderTest extends Files implements AsyncDisposable {
  readonly sender: FakeSender;

  constructor({ isOff = false, isAllowed = true } = {}) {
    const panel = new FakePanel();
    super(isOff ? undefined : programs, panel, { isAllowed });
    this.sender = panel.sender;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

const withFiles = testsWith(() => new FilesUnderTest());

function order(requestId: string, op: string, args: Record<string, unknown> = {}) {
  return { kind: "file", requestId, op, args } as const;
}

withFiles.test("Files.handle() runs requests and sends their answers", async (files) => {
  const { fileResults } = files.sender;
  files.handle(order("1", "list_roots"));
  files.handle(order("2", "open the door"));
  await eventually(() => fileResults.length === 2);
  const [second, first] = fileResults.toSorted((a, b) => Number(a.ok) - Number(b.ok));
  assertEquals([first?.requestId, first?.ok, first?.error], ["1", true, ""]);
  const error = "unsupported file operation: open the door";
  assertEquals(second, { requestId: "2", ok: false, error });
});

Deno.test("Files.handle() answers a request that could not be begun, and begins the next one", async () => {
  const panel = new FakePanel();
  let isBroken = true;
  class BrokenPrograms extends Programs {
    override isFolder(path: string): boolean {
      if (isBroken) throw new Error("Too many open files (os error 24)");
      return super.isFolder(path);
    }
  }
  const files = new Files(new BrokenPrograms(), panel, { isAllowed: true });
  const { fileResults } = panel.sender;
  files.handle(order("1", "list_roots"));
  await eventually(() => fileResults.length === 1);
  assertEquals([fileResults[0]?.requestId, fileResults[0]?.ok], ["1", false]);
  assertMatch(fileResults[0]?.error ?? "", /^files can't be managed now: Too many open files/);
  isBroken = false;
  files.handle(order("2", "list_roots"));
  await eventually(() => fileResults.length === 2);
  assertEquals([fileResults[1]?.requestId, fileResults[1]?.ok], ["2", true]);
  await files.close();
});

const table = [
  [
    "remote control is off",
    { isOff: true },
    "remote control is off \u2192 --enable-remote-control turns it on, if that is wanted",
  ],
  ["files are switched off", { isAllowed: false }, "--disable-remote-files is set"],
] as const;
for (const [name, options, reason] of table) {
  Deno.test(`Files.handle() refuses at once in the official words when ${name}`, async () => {
    const path = await Deno.makeTempFile();
    const lines = await collectedLog(async () => {
      await using files = new FilesUnderTest(options);
      const { fileResults } = files.sender;
      for (let id = 1; id <= 5; id++) files.handle(order(`${id}`, "delete", { path }));
      await eventually(() => fileResults.length === 5);
      const error = "web control is disabled";
      assertEquals(fileResults[0], { requestId: "1", ok: false, error });
    });
    assertEquals(lines.length, 1);
    const line = ` warning remote: Refused a file request of the panel: ${reason}`;
    assert(lines[0]?.endsWith(line), lines[0]);
    await Deno.remove(path);
  });
}

withFiles.test("Files.handle() refuses what comes after the agent was told to stop", async (files) => {
  const { fileResults } = files.sender;
  const closing = files.close();
  files.handle(order("1", "list_roots"));
  await closing;
  files.handle(order("2", "list_roots"));
  await eventually(() => fileResults.length === 2);
  const error = "the agent stops: try again later";
  assertEquals(fileResults, ["1", "2"].map((requestId) => ({ requestId, ok: false, error })));
});

Deno.test("Files.handle() bounds its refusals", async () => {
  const sending = Promise.withResolvers<void>();
  const lines = await collectedLog(async () => {
    await using files = new FilesUnderTest({ isOff: true });
    const { sender } = files;
    sender.beforeEach = () => sending.promise;
    for (let id = 0; id < 10_000; id++) files.handle(order(`${id}`, "list"));
    sending.resolve();
    await eventually(() => sender.fileResults.length >= 1000);
    await files.close();
    assertEquals(sender.fileResults.length, 1000);
  });
  assertEquals(lines.length, 2);
});

/** The answers that arrive when the panel takes none for so long. */
async function answeredAfter(outageMs: number): Promise<number> {
  using time = new FakeTime();
  let count = 0;
  await using files = new FilesUnderTest({ isOff: true });
  const { sender } = files;
  sender.beforeEach = () => {
    if (performance.now() < outageMs) throw new Error("the panel is away");
  };
  files.handle(order("1", "list"));
  await time.run(10 * 60_000);
  count = sender.fileResults.length;
  return count;
}

Deno.test("Files.handle() tries for a minute to send an answer", async () => {
  assertEquals(await answeredAfter(20_000), 1);
  assertEquals(await answeredAfter(3 * 60_000), 0);
});

Deno.test("Files.close() tries no more to send an answer", async () => {
  using time = new FakeTime();
  await using files = new FilesUnderTest({ isOff: true });
  const { sender } = files;
  sender.beforeEach = () => Promise.reject(new Error("the panel is away"));
  files.handle(order("1", "list"));
  await time.run(100);
  assertEquals(time.timers, 1);
  await files.close();
  assertEquals(time.timers, 0);
});

withFiles.test("Files.handle() says so when its answer is too large for the panel", async (files) => {
  const { sender } = files;
  const tried: FileResult[] = [];
  sender.sendFileResult = (result) => {
    tried.push(result);
    if (!result.ok) return Promise.resolve();
    const reason = { failure: "unavailable", status: 413 } as const;
    return Promise.reject(new PanelError("Cannot send: status 413", reason));
  };
  files.handle(order("1", "list_roots"));
  await eventually(() => tried.length === 2);
  const error = "the answer is too large for this panel: use a terminal";
  assertEquals(tried[1], { requestId: "1", ok: false, error });
});

Deno.test("Files.handle() counts no answered request as a part of a flood", async () => {
  const panel = new FakePanel();
  let given = 0;
  panel.limit.giveBack = () => void given++;
  const files = new Files(programs, panel, { isAllowed: true });
  for (const [id, op] of [["1", "list_roots"], ["2", "open the door"]] as const) {
    files.handle(order(id, op));
  }
  await eventually(() => panel.sender.fileResults.length === 2);
  assertEquals(given, 1);
  await files.close();
});

Deno.test("Files.handle() takes ~ for the home folder of the agent's account", async () => {
  using home = new ShellHome();
  await using files = new FilesUnderTest();
  const { fileResults } = files.sender;
  files.handle(order("1", "stat", { path: "~" }));
  await eventually(() => fileResults.length === 1);
  const { result } = fileResults[0] ?? {};
  assert(typeof result === "object" && result !== null && "path" in result);
  assertEquals(result.path, home.path);
});
