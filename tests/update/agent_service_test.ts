import { assert, assertEquals } from "@std/assert";
import { readInstallRecord } from "../../lib/service/install_record.ts";
import { servicePaths } from "../../lib/service/service_paths.ts";
import { serviceNames } from "../../lib/update/agent_service.ts";
import { configOf, FakeSystem, installNow, USERS } from "../service/fake_system.ts";

Deno.test("agentService() finds the service by its name or the program's", async () => {
  const fakes = { ...USERS, "rc-service": "", "rc-update": "", tail: "" };
  await using fake = new FakeSystem({ folders: ["run/openrc", "srv/agents"], fakes });
  const args = ["install", "-e", "https://p.example", "-t", "secret"];
  const where = ["--install-dir", "/srv/agents", "--install-service-name", "node-2"];
  await installNow(configOf([...args, ...where]), fake.system);
  const places = servicePaths("node-2", fake.system);
  const record = readInstallRecord(fake.root + places.record);
  assert(record !== undefined);
  const names = serviceNames(record.program, "komari-agent-deno");
  assertEquals(names, ["komari-agent-deno", record.service]);
});

Deno.test("serviceNames() has no duplicates", () => {
  assertEquals(serviceNames("/opt/komari-agent-deno/komari-agent-deno", "komari-agent-deno"), [
    "komari-agent-deno",
  ]);
});
