import { assertEquals, assertStringIncludes } from "@std/assert";
import { install } from "../../lib/service/install.ts";
import { officialBeside } from "../../lib/service/official_agent.ts";
import { configOf, PaperSite } from "./fake_system.ts";
import { OfficialMachine } from "./official_machine.ts";

const { signal } = new AbortController();
const UNIT = "[Service]\nExecStart=/opt/komari/agent -e https://p.example -t secret\n";

Deno.test("officialBeside() says nothing where no official agent runs", async () => {
  await using machine = new OfficialMachine();
  Deno.removeSync(`${machine.root}/users/up-komari-agent`);
  assertEquals(await officialBeside("openrc", machine.site, signal), undefined);
  Deno.removeSync(`${machine.root}/etc/init.d/komari-agent`);
  assertEquals(await officialBeside("openrc", machine.site, signal), undefined);
  assertEquals(machine.calls(), ["rc-service komari-agent status"]);
});

Deno.test("officialBeside() names all that run, of the machine and of the user", async () => {
  await using paper = new PaperSite({
    folders: ["home/ann"],
    fakes: { systemctl: '[ "$3" != idle.service ]' },
    site: { uid: 1000, home: "/home/ann" },
  });
  const own = "/home/ann/.config/systemd/user";
  paper.write(`${own}/mine.service`, UNIT);
  paper.write("/etc/systemd/system/idle.service", UNIT);
  const ofUser = await officialBeside("systemd", paper.site, signal) ?? "";
  assertStringIncludes(ofUser, "runs here too (mine): ");
  assertStringIncludes(ofUser, "`install --replace` takes its place");
  paper.write("/etc/systemd/system/komari-agent.service", UNIT);
  const ofBoth = await officialBeside("systemd", paper.site, signal) ?? "";
  assertStringIncludes(ofBoth, "runs here too (mine, komari-agent): ");
  assertStringIncludes(ofBoth, "`install --replace` as root takes its place");
});

Deno.test("install() says that an official agent runs beside it", async () => {
  await using machine = new OfficialMachine();
  const config = configOf(["install", "-e", "https://p.example", "-t", "secret"]);
  await install(config, machine.site, { signal, patience: { limitMs: 0, beatMs: 1 } });
  const lines = machine.said.filter((line) => line.includes("official agent"));
  assertEquals(lines.length, 1);
  assertStringIncludes(lines[0] ?? "", "runs here too (komari-agent): both report");
});
