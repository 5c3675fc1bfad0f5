import { assertEquals, assertStringIncludes } from "@std/assert";
import { runInstall } from "../../lib/cli/install.ts";
import { configOf, FakeContext } from "./fake_context.ts";

Deno.test("runInstall() shows an installation under a manager that is not here", async () => {
  const args = ["install", "-e", "https://panel.example", "-t", "s3cret", "--print"];
  const config = configOf([...args, "--manager", "procd"]);
  const context = new FakeContext();
  assertEquals(await runInstall({ ...config, print: true }, context), 0);
  assertStringIncludes(context.printed, "File /etc/init.d/komari-agent-deno");
  assertEquals(context.printed.includes("s3cret"), false);
});
