import { assertEquals } from "@std/assert";
import { runUninstall } from "../../lib/cli/uninstall.ts";
import { withTexts } from "../replaced.ts";
import { configOf, FakeContext } from "./fake_context.ts";
import { withInstalledService } from "../service/installed_service.ts";

/** No service of any machine. */
const NAME = `komari-none-${crypto.randomUUID()}`;

/** What is printed where nothing is installed, beside the record of an official agent if it is given. */
async function printed(args: readonly string[], record?: object): Promise<string> {
  const context = new FakeContext({ HOME: "/nowhere" });
  const text = record && JSON.stringify(record);
  using _record = withTexts((path) => path.endsWith(`/${NAME}/replaced.json`) ? text : undefined);
  const config = configOf(["uninstall", "--install-service-name", NAME, ...args]);
  assertEquals(await runUninstall(config, context), 0);
  return context.printed;
}

Deno.test("runUninstall() says how to start the official agent that was replaced, unless it only shows", async () => {
  const record = {
    ...{ manager: "systemd", scope: "system", serviceName: "komari-agent", isDone: true },
  };
  const [nothing = "", ...none] = (await printed([])).split("\n");
  assertEquals([nothing.startsWith(`Nothing is installed as ${NAME}`), none], [true, [""]]);
  const lines = (await printed([], record)).split("\n");
  assertEquals(lines, [
    nothing,
    "The official agent (komari-agent) is still installed but stopped; to start it:",
    "  systemctl enable komari-agent.service && systemctl restart komari-agent.service",
    "",
  ]);
  assertEquals(await printed(["--print"], record), `${nothing}\n`);
});

Deno.test("runUninstall() keeps the state with --keep-state", async () => {
  await withInstalledService({ systemctl: "exit 1" }, async ({ name, folder, env }) => {
    Deno.mkdirSync(`${folder}/state`);
    const removes = async (...args: string[]): Promise<boolean> => {
      const context = new FakeContext(env);
      const words = ["uninstall", "--install-service-name", name, "--print"];
      await runUninstall(configOf([...words, ...args]), context);
      return context.printed.includes(`Remove ${folder}/state if it is empty`);
    };
    assertEquals([await removes(), await removes("--keep-state")], [true, false]);
  });
});
