import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import type { ManagerKind } from "../../lib/service/service_manager.ts";
import { AgentProcess, type AgentService, agentService } from "../../lib/update/agent_process.ts";
import { VERSION } from "../../lib/version.ts";
import { same } from "../cases.ts";
import { withTexts } from "../replaced.ts";
import { ARGS, machineOf, NAME } from "../service/fake_system.ts";
import { openHealth } from "../state/health_folder.ts";
import { inFolder } from "../temp_folder.ts";

const IN_AGENT = "0::/system.slice/agent.service\n";

inFolder.test("AgentProcess.requireRestart() refuses an agent that would not come back, or would end the update", async ({ path }) => {
  using _agent = openHealth(path);
  const tools = { run: () => Promise.resolve({ code: 0, output: "" }) };
  const serviceOf = (manager: ManagerKind): AgentService => {
    return { manager, restart: [], pinned: "", runtimeFolder: path };
  };
  const refusalOf = ([service, own]: readonly [ManagerKind | undefined, string]) => {
    using _groups = withTexts((file) => {
      const [, pid] = /^\/proc\/(\w+)\/cgroup$/.exec(file) ?? [];
      return pid === undefined ? undefined : pid === "self" ? own : IN_AGENT;
    });
    // The health file of a service is in its own folder alone.
    const agent = new AgentProcess({
      folders: service === undefined ? [path] : ["/none"],
      service: service && serviceOf(service),
      tools,
    });
    const health = agent.health();
    if (health === undefined) return "no agent";
    try {
      return agent.requireRestart(health);
    } catch (error) {
      return /not installed as a service|from within the agent's own service/.exec(`${error}`)?.[0];
    }
  };
  await same(refusalOf, [
    [[undefined, IN_AGENT], "not installed as a service"],
    [["systemd", IN_AGENT], "from within the agent's own service"],
    [["systemd", "0::/system.slice/agent-update.service\n"], undefined],
    [["openrc", IN_AGENT], undefined],
  ]);
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
