import { assertEquals, assertStringIncludes } from "@std/assert";
import { officialAgentWarning } from "../../lib/service/official_agent.ts";
import { configOf, FakeSystem, installNow } from "./fake_system.ts";
import { OfficialMachine } from "./official_machine.ts";

const { signal } = new AbortController();
const UNIT = "[Service]\nExecStart=/opt/komari/agent -e https://p.example -t secret\n";

Deno.test("officialAgentWarning() returns undefined when no official agent is running", async () => {
  await using machine = new OfficialMachine();
  Deno.removeSync(`${machine.root}/users/up-komari-agent`);
  assertEquals(await officialAgentWarning("openrc", machine.system, signal), undefined);
  Deno.removeSync(`${machine.root}/etc/init.d/komari-agent`);
  assertEquals(await officialAgentWarning("openrc", machine.system, signal), undefined);
  assertEquals(machine.calls(), ["rc-service komari-agent status"]);
});

Deno.test("officialAgentWarning() names all running agents of system and user", async () => {
  await using fake = new FakeSystem({
    folders: ["home/ann"],
    fakes: { systemctl: '[ "$3" != idle.service ]' },
    system: { uid: 1000, home: "/home/ann" },
  });
  const own = "/home/ann/.config/systemd/user";
  fake.write(`${own}/mine.service`, UNIT);
  fake.write("/etc/systemd/system/idle.service", UNIT);
  const userManager = await officialAgentWarning("systemd", fake.system, signal) ?? "";
  assertStringIncludes(userManager, "is running too (mine): ");
  assertStringIncludes(userManager, "run `install --replace`");
  fake.write("/etc/systemd/system/komari-agent.service", UNIT);
  const ofBoth = await officialAgentWarning("systemd", fake.system, signal) ?? "";
  assertStringIncludes(ofBoth, "is running too (mine, komari-agent): ");
  assertStringIncludes(ofBoth, "`install --replace` as root");
});

Deno.test("install() warns when an official agent is running", async () => {
  await using machine = new OfficialMachine();
  const config = configOf(["install", "-e", "https://p.example", "-t", "secret"]);
  await installNow(config, machine.system);
  const lines = machine.printed.filter((line) => line.includes("official agent"));
  assertEquals(lines.length, 1);
  assertStringIncludes(lines[0] ?? "", "is running too (komari-agent)");
});
