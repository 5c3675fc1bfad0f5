import { assertEquals, assertMatch } from "@std/assert";
import { PanelError } from "../../lib/panel/panel_error.ts";
import type { FileResult } from "../../lib/types.ts";
import { timed } from "../fake_time.ts";
import { ControlUnderTest, withControl } from "./control_fixture.ts";
import { eventually } from "./processes_below.ts";

withControl.test("Files.handle() runs requests and sends their answers, none of which is a part of a flood", async (it) => {
  let given = 0;
  it.panel.limit.giveBack = () => void given++;
  assertEquals(await it.answer("stat", { path: "~" }), "0 true");
  assertEquals(Object(it.answers[0]?.result).path, it.home);
  const unknown = "1 false unsupported file operation: open the door";
  assertEquals(await it.answer("open the door"), unknown);
  assertEquals(given, 1);
});

withControl.test("Files.handle() refuses what comes after the agent was told to stop", async (it) => {
  const closing = it.control.close();
  const error = (id: number) => `${id} false the agent stops: try again later`;
  assertEquals(await it.answer("list_roots"), error(0));
  await closing;
  assertEquals(await it.answer("list_roots"), error(1));
});

Deno.test("Files.handle() bounds its refusals", async () => {
  await using it = new ControlUnderTest({ isOff: true });
  const sending = Promise.withResolvers<void>();
  it.panel.sender.beforeEach = () => sending.promise;
  for (let id = 0; id < 10_000; id++) it.file(id, "list");
  sending.resolve();
  await eventually(() => it.answers.length >= 1000);
  await it.control.close();
  assertEquals(it.answers.length, 1000);
});

timed.test("Files.handle() tries for a minute to send an answer", async (time) => {
  await using it = new ControlUnderTest({ isOff: true });
  let tries = 0;
  it.panel.sender.beforeEach = () => {
    tries++;
    throw new Error("the panel is away");
  };
  it.file(1, "list");
  await time.run(59_000);
  const before = tries;
  await time.run(10 * 60_000);
  assertEquals([before > 3, tries - before < 3, time.timers], [true, true, 0]);
});

withControl.test("Files.handle() says so when its answer is too large for the panel", async (it) => {
  const tried: FileResult[] = [];
  it.panel.sender.sendFileResult = (result) => {
    tried.push(result);
    if (!result.ok) return Promise.resolve();
    const reason = { failure: "unavailable", status: 413 } as const;
    return Promise.reject(new PanelError("Cannot send: status 413", reason));
  };
  it.file(1, "list_roots");
  await eventually(() => tried.length === 2);
  const error = "the answer is too large for this panel: use a terminal";
  assertEquals(tried[1], { requestId: "1", ok: false, error });
  it.file(2, "list", { path: "/" });
  await eventually(() => tried.length === 4);
  assertMatch(tried[3]?.error ?? "", /^the answer of \d+ files is too large/);
});
