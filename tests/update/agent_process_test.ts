import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { AgentProcess, agentService } from "../../lib/update/agent_process.ts";
import { VERSION } from "../../lib/version.ts";
import { withTexts } from "../replaced.ts";
import { ARGS, machineOf, NAME } from "../service/fake_system.ts";
import { openHealth } from "../state/health_folder.ts";
import { inFolder } from "../temp_folder.ts";

inFolder.test("AgentProcess.requireRestart() refuses an agent that would not come back, or would end the update", ({ path }) => {
  using _agent = openHealth(path);
  const tools = { run: () => Promise.resolve({ code: 0, output: "" }) };
  const inAgent = "0::/system.slice/agent.service\n";
  for (
    const [manager, own, words] of [
      [undefined, inAgent, "not installed as a service"],
      ["systemd", inAgent, "from within the agent's own service"],
      ["systemd", "0::/system.slice/agent-update.service\n", undefined],
      ["openrc", inAgent, undefined],
    ] as const
  ) {
    using _groups = withTexts((file) => {
      const [, pid] = /^\/proc\/(\w+)\/cgroup$/.exec(file) ?? [];
      return pid === undefined ? undefined : pid === "self" ? own : inAgent;
    });
    const service = manager && { manager, restart: [], pinned: "", runtimeFolder: path };
    // The health file of a service is in its own folder alone.
    const agent = new AgentProcess({ folders: service ? ["/none"] : [path], service, tools });
    const health = agent.health();
    assert(health !== undefined);
    if (words === undefined) agent.requireRestart(health);
    else assertThrows(() => agent.requireRestart(health), Error, words);
  }
});

Deno.test("AgentProcess.restart() fails where the service's manager does", async () => {
  const tools = { run: () => Promise.resolve({ code: 5, output: "no such unit" }) };
  const restart = [{ tool: "rc", args: ["x"] }];
  const service = { manager: "openrc", restart, pinned: "", runtimeFolder: "/none" } as const;
  const failing = new AgentProcess({ folders: [], service, tools });
  const { signal } = new AbortController();
  await assertRejects(() => failing.restart(signal), Error, "no such unit");
});

Deno.test("agentService() finds the service of a program by its name, and no other", async () => {
  await using fake = machineOf("openrc", {}, { folders: ["srv/agents"] });
  const where = ["--install-dir", "/srv/agents", "--install-service-name", "node-2"];
  await fake.install([...ARGS, "--pin", ...where]);
  const path = Deno.realPathSync(`${fake.root}/srv/agents/node-2`);
  assertEquals(agentService(path, NAME, fake.system), {
    manager: "openrc",
    restart: [{ tool: "rc-service", args: ["node-2", "restart"] }],
    pinned: VERSION,
    runtimeFolder: "/run/node-2",
  });
  assertEquals(agentService(`${path}-other`, NAME, fake.system), undefined);
  assertEquals(agentService(`${path}-other`, "node-2", fake.system), undefined);
  const record = "/etc/node-2/install.json";
  const text = fake.text(record);
  fake.write("/etc/node-1/install.json", text.replaceAll("/srv/agents/node-2", "/opt/other"));
  assertEquals(agentService(path, "node-1", fake.system)?.runtimeFolder, "/run/node-2");
  // The record may name a link to it.
  Deno.symlinkSync("agents/node-2", `${fake.root}/srv/link`);
  fake.write(record, text.replaceAll("/srv/agents/node-2", "/srv/link"));
  assertEquals(agentService(path, NAME, fake.system)?.pinned, VERSION);
  fake.write(record, "{}");
  assertThrows(() => agentService(path, NAME, fake.system), Error, "Cannot read");
});
