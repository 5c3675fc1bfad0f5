import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { runInstall } from "../../lib/cli/install.ts";
import { runUninstall } from "../../lib/cli/uninstall.ts";
import { resolveConfig } from "../../lib/config/config.ts";
import { UsageError } from "../../lib/config/usage_error.ts";

async function run(
  args: readonly string[],
  act: typeof runInstall = runInstall,
): Promise<string> {
  const config = resolveConfig({ args, env: {}, readText: () => "", readMode: () => undefined });
  let text = "";
  await act(config, {
    env: {},
    signal: new AbortController().signal,
    secrets: [],
    isRestart: () => false,
    printError: () => {},
    print: (part: string) => text += part,
    resolveWith: () => config,
  });
  return text;
}

const ARGS = ["install", "-e", "https://panel.example", "-t", "s3cret"];

Deno.test("runInstall() shows an installation under a manager that is not here", async () => {
  const text = await run([...ARGS, "--print", "--manager", "procd"]);
  assertStringIncludes(text, "File /etc/init.d/komari-agent-deno");
  assertEquals(text.includes("s3cret"), false);
});

Deno.test("runInstall() refuses --manager where it would do something", async () => {
  for (const more of [["--manager", "systemd"], ["--manager", "systemd", "--print", "--replace"]]) {
    await assertRejects(() => run([...ARGS, ...more]), UsageError, "Cannot use --manager");
  }
  await assertRejects(() => run([...ARGS, "--print", "--manager", "runit"]), UsageError, "systemd");
});

Deno.test("runUninstall() refuses to keep the state of an agent that is replaced", async () => {
  const args = ["uninstall", "--restore", "--keep-state"];
  await assertRejects(() => run(args, runUninstall), UsageError, "--keep-state and --restore");
});
