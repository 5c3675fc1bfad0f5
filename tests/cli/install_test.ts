import { assertEquals, assertStringIncludes } from "@std/assert";
import { runInstall } from "../../lib/cli/install.ts";
import { resolveConfig } from "../../lib/config/config.ts";

Deno.test("runInstall() shows an installation under a manager that is not here", async () => {
  const args = ["install", "-e", "https://panel.example", "-t", "s3cret", "--print"];
  const config = resolveConfig({
    args: [...args, "--manager", "procd"],
    env: {},
    readText: () => "",
    readMode: () => undefined,
  });
  let text = "";
  const code = await runInstall({ ...config, print: true }, {
    env: {},
    signal: new AbortController().signal,
    secrets: [],
    isRestart: () => false,
    print: (part: string) => text += part,
    printError: () => {},
    resolveWith: () => config,
  });
  assertEquals(code, 0);
  assertStringIncludes(text, "File /etc/init.d/komari-agent-deno");
  assertEquals(text.includes("s3cret"), false);
});
