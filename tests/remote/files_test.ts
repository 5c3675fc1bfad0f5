import { assert, assertEquals } from "@std/assert";
import { Programs } from "../../lib/host/programs.ts";
import { PanelError } from "../../lib/panel/panel_error.ts";
import { Files } from "../../lib/remote/files.ts";
import type { FileResult } from "../../lib/types.ts";
import { timed } from "../fake_time.ts";
import { ShellHome } from "../shell_home.ts";
import { testsWith } from "../tests_with.ts";
import { FakePanel } from "./fake_panel.ts";
import { eventually } from "./processes_below.ts";

/** File requests of a panel that a test plays. */
class FilesUnderTest extends Files implements AsyncDisposable {
  readonly panel: FakePanel;

  constructor({ isOff = false } = {}) {
    const panel = new FakePanel();
    super(isOff ? undefined : new Programs(), panel);
    this.panel = panel;
  }

  get answers(): FileResult[] {
    return this.panel.sender.fileResults;
  }

  order(requestId: string | number, op: string, args: Record<string, unknown> = {}): void {
    this.handle({ kind: "file", requestId: `${requestId}`, op, args });
  }

  /** Orders something; what the next answer says. */
  async outcome(op: string, args: Record<string, unknown> = {}): Promise<string> {
    const { length } = this.answers;
    this.order(length, op, args);
    await eventually(() => this.answers.length > length);
    const { requestId, ok, error } = this.answers[length] ?? {};
    return `${requestId} ${ok} ${error}`.trim();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

const withFiles = testsWith(() => new FilesUnderTest());

withFiles.test("Files.handle() runs requests and sends their answers, none of which is a part of a flood", async (files) => {
  let given = 0;
  files.panel.limit.giveBack = () => void given++;
  assertEquals(await files.outcome("list_roots"), "0 true");
  const unknown = "1 false unsupported file operation: open the door";
  assertEquals(await files.outcome("open the door"), unknown);
  assertEquals(given, 1);
  using home = new ShellHome();
  await using inHome = new FilesUnderTest();
  assertEquals(await inHome.outcome("stat", { path: "~" }), "0 true");
  assertEquals(Object(inHome.answers[0]?.result).path, home.path);
});

Deno.test("Files.handle() refuses at once in the official words when the panel may not manage files", async () => {
  const path = await Deno.makeTempFile();
  await using files = new FilesUnderTest({ isOff: true });
  for (let id = 0; id < 5; id++) {
    const refusal = `${id} false web control is disabled`;
    assertEquals(await files.outcome("delete", { path }), refusal);
  }
  await Deno.remove(path);
});

withFiles.test("Files.handle() refuses what comes after the agent was told to stop", async (files) => {
  const closing = files.close();
  const error = (id: number) => `${id} false the agent stops: try again later`;
  assertEquals(await files.outcome("list_roots"), error(0));
  await closing;
  assertEquals(await files.outcome("list_roots"), error(1));
});

Deno.test("Files.handle() bounds its refusals", async () => {
  const sending = Promise.withResolvers<void>();
  await using files = new FilesUnderTest({ isOff: true });
  files.panel.sender.beforeEach = () => sending.promise;
  for (let id = 0; id < 10_000; id++) files.order(id, "list");
  sending.resolve();
  await eventually(() => files.answers.length >= 1000);
  await files.close();
  assertEquals(files.answers.length, 1000);
});

timed.test("Files.handle() tries for a minute to send an answer", async (time) => {
  await using files = new FilesUnderTest({ isOff: true });
  let tries = 0;
  files.panel.sender.beforeEach = () => {
    tries++;
    throw new Error("the panel is away");
  };
  files.order(1, "list");
  await time.run(59_000);
  const before = tries;
  await time.run(10 * 60_000);
  assertEquals([before > 3, tries - before < 3, time.timers], [true, true, 0]);
});

withFiles.test("Files.handle() says so when its answer is too large for the panel", async (files) => {
  const tried: FileResult[] = [];
  files.panel.sender.sendFileResult = (result) => {
    tried.push(result);
    if (!result.ok) return Promise.resolve();
    const reason = { failure: "unavailable", status: 413 } as const;
    return Promise.reject(new PanelError("Cannot send: status 413", reason));
  };
  files.order(1, "list_roots");
  await eventually(() => tried.length === 2);
  const error = "the answer is too large for this panel: use a terminal";
  assertEquals(tried[1], { requestId: "1", ok: false, error });
  files.order(2, "list", { path: "/" });
  await eventually(() => tried.length === 4);
  assert(/^the answer of \d+ files is too large/.test(tried[3]?.error ?? ""), tried[3]?.error);
});
