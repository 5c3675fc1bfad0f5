import { assertEquals, assertRejects } from "@std/assert";
import {
  runTools,
  SYSTEM_PATH,
  toolLine,
  toolPath,
  type Tools,
} from "../../lib/host/tool_runner.ts";

const { signal } = new AbortController();

function failing(names: readonly string[], ran: string[]): Tools {
  return {
    run(command) {
      ran.push(toolLine(command));
      const code = names.includes(command.tool) ? 3 : 0;
      return Promise.resolve({ code, output: code === 0 ? "" : "one\ntwo\nthree\nno such unit\n" });
    },
  };
}

Deno.test("runTools() goes on when one fails that may", async () => {
  const ran: string[] = [];
  const tools = failing(["a"], ran);
  const commands = [{ tool: "a", args: ["x y"], mayFail: true }, { tool: "b", args: ["--now"] }];
  await runTools(commands, { tools, signal });
  assertEquals(ran, ["a 'x y'", "b --now"]);
});

Deno.test("runTools() stops at the first that must not fail, and quotes its last words", async () => {
  const ran: string[] = [];
  const tools = failing(["a"], ran);
  await assertRejects(
    () => runTools([{ tool: "a", args: [] }, { tool: "b", args: [] }], { tools, signal }),
    Error,
    'Cannot run "a": two; three; no such unit',
  );
  assertEquals(ran, ["a"]);
});

Deno.test("runTools() names the exit code of a program that says nothing", async () => {
  const tools: Tools = { run: () => Promise.resolve({ code: 3, output: "\n" }) };
  const running = () => runTools([{ tool: "a", args: [] }], { tools, signal });
  await assertRejects(running, Error, 'Cannot run "a": it ended with code 3');
});

Deno.test("toolPath() looks at a user's folders before those of the system", () => {
  assertEquals(toolPath("/own:/bin"), `/own:/bin:${SYSTEM_PATH}`);
  assertEquals([toolPath(""), toolPath()], [SYSTEM_PATH, SYSTEM_PATH]);
});
