import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { toolPath, ToolRunner } from "../../lib/host/tool_runner.ts";

const { signal } = new AbortController();
const tools = new ToolRunner({ env: { PATH: toolPath(), TOLD: "yes" } });
const sh = (script: string) => ({ tool: "sh", args: ["-c", script] });

Deno.test("ToolRunner tells how a program ended, and what it wrote", async () => {
  const result = await tools.run(sh("echo $TOLD; echo $LC_ALL >&2; exit 7"), { signal });
  assertEquals(result, { code: 7, output: "yes\nC\n" });
});

Deno.test("ToolRunner knows which programs there are", async () => {
  assert(tools.has("sh") && tools.has("/bin/sh"));
  assert(!tools.has("no-such-program") && !tools.has("/etc/passwd"));
  const { code } = await tools.run({ tool: "no-such-program", args: [] }, { signal });
  assertEquals(code, 127);
});

Deno.test("ToolRunner gives a program nothing to read, and none of this program's variables", async () => {
  const { output } = await tools.run(sh("cat; echo ${HOME-none}"), { signal });
  assertEquals(output, "none\n");
});

Deno.test("ToolRunner keeps a bounded part of what is written", async () => {
  const { code, output } = await tools.run(sh("head -c 1000000 /dev/zero"), { signal });
  assertEquals([code, output.length], [0, 65536]);
});

Deno.test("ToolRunner ends a program that takes too long", async () => {
  const hasty = new ToolRunner({ env: { PATH: toolPath() }, timeoutMs: 50 });
  const { code, output } = await hasty.run({ tool: "sleep", args: ["60"] }, { signal });
  assertEquals(code, 124);
  assertStringIncludes(output, "did not end");
});

Deno.test("ToolRunner ends a program by force that does not want to end", async () => {
  const hasty = new ToolRunner({ env: { PATH: toolPath() }, timeoutMs: 50, graceMs: 50 });
  const stubborn = sh("trap '' TERM; echo $$; while :; do sleep 0.1; done");
  const { code, output } = await hasty.run(stubborn, { signal });
  assertEquals(code, 124);
  assertThrows(() => Deno.kill(Number.parseInt(output), "SIGCONT"), Deno.errors.NotFound);
});

Deno.test("ToolRunner ends a program when it is asked to", async () => {
  const command = { tool: "sleep", args: ["60"] };
  await assertRejects(() => tools.run(command, { signal: AbortSignal.timeout(50) }), DOMException);
  await assertRejects(() => tools.run(command, { signal: AbortSignal.abort() }), DOMException);
});

Deno.test("ToolRunner waits for a program, not for what that has left running", async () => {
  const { code, output } = await tools.run(sh("sleep 60 & echo $!"), { signal });
  Deno.kill(Number(output), "SIGKILL");
  assertEquals(code, 0);
});
