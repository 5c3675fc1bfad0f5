import { assertEquals, assertThrows } from "@std/assert";
import { toolLine, type ToolResult } from "../../lib/host/tool_runner.ts";
import { VERSION } from "../../lib/version.ts";
import { agentService, serviceNames, serviceOfUnit } from "../../lib/update/agent_service.ts";
import { ARGS, type FakeSystem, machineOf, NAME } from "../service/fake_system.ts";

const NODE_2 = "/etc/node-2/install.json";

/** A machine on which the program `/srv/agents/node-2` runs as the service node-2. */
async function withNode2(): Promise<{ fake: FakeSystem; path: string; names: string[] }> {
  const fake = machineOf("openrc", {}, { folders: ["srv/agents"] });
  const where = ["--install-dir", "/srv/agents", "--install-service-name", "node-2"];
  await fake.install([...ARGS, "--pin", ...where]);
  const path = Deno.realPathSync(`${fake.root}/srv/agents/node-2`);
  return { fake, path, names: serviceNames(path, NAME) };
}

Deno.test("agentService() finds the service that has the name of the program", async () => {
  const { fake, path, names } = await withNode2();
  await using _ = fake;
  assertEquals(names, [NAME, "node-2"]);
  assertEquals(agentService(path, names, fake.system), {
    restart: [{ tool: "rc-service", args: ["node-2", "restart"] }],
    pinned: VERSION,
    runtimeFolder: "/run/node-2",
  });
  // The record may name a link to it.
  Deno.symlinkSync("agents/node-2", `${fake.root}/srv/link`);
  fake.write(NODE_2, fake.text(NODE_2).replaceAll("/srv/agents/node-2", "/srv/link"));
  assertEquals(agentService(path, names, fake.system)?.pinned, VERSION);
});

Deno.test("agentService() finds no service by another name, or of another program", async () => {
  const { fake, path, names } = await withNode2();
  await using _ = fake;
  assertEquals(agentService(path, [NAME], fake.system), undefined);
  assertEquals(agentService(`${path}-other`, names, fake.system), undefined);
  const ofOther = fake.text(NODE_2).replaceAll("/srv/agents/node-2", "/opt/other");
  fake.write("/etc/node-1/install.json", ofOther);
  assertEquals(agentService(path, ["node-1", "node-2"], fake.system)?.runtimeFolder, "/run/node-2");
});

Deno.test("agentService() throws where the service's record is damaged", async () => {
  const { fake, path, names } = await withNode2();
  await using _ = fake;
  fake.write(NODE_2, "{}");
  assertThrows(() => agentService(path, names, fake.system), Error, "Cannot read");
});

const UNIT = { name: "agent.service", scope: Deno.uid() === 0 ? "system" : "user" } as const;
const FLAGS = Deno.uid() === 0 ? "" : " --user";

/** What systemd says of a unit's main process, and what it is asked. */
async function serviceOf(
  pid: number,
  scope: "system" | "user" = UNIT.scope,
): Promise<{ asked: string[]; restart: string[] | undefined; isFound: boolean }> {
  const asked: string[] = [];
  const tools = {
    run: (command: Parameters<typeof toolLine>[0]): Promise<ToolResult> => {
      asked.push(toolLine(command));
      return Promise.resolve({ code: 0, output: "MainPID=7\n" });
    },
  };
  const { signal } = new AbortController();
  const found = await serviceOfUnit({ ...UNIT, scope }, pid, { tools, signal });
  const restart = found?.service?.restart.map((it) => toolLine(it) + (it.mayFail ? " ?" : ""));
  return { asked, restart, isFound: found !== undefined };
}

Deno.test("serviceOfUnit() restarts the unit of a main process, and resets its failures", async () => {
  const asked = [`systemctl${FLAGS} show --property=MainPID agent.service`];
  const restart = ["reset-failed agent.service ?", "restart agent.service"]
    .map((words) => `systemctl --no-ask-password${FLAGS} ${words}`);
  assertEquals(await serviceOf(7), { asked, restart, isFound: true });
  assertEquals(await serviceOf(8), { asked, restart: undefined, isFound: false }, "an orphan");
});

Deno.test("serviceOfUnit() restarts no unit that is another user's", async () => {
  const other = UNIT.scope === "user" ? "system" : "user";
  const flags = other === "user" ? " --user" : "";
  assertEquals(await serviceOf(7, other), {
    asked: [`systemctl${flags} show --property=MainPID agent.service`],
    restart: undefined,
    isFound: true,
  });
});

Deno.test("serviceNames() has no duplicates", () => {
  assertEquals(serviceNames("/opt/komari-agent-deno/komari-agent-deno", "komari-agent-deno"), [
    "komari-agent-deno",
  ]);
});
