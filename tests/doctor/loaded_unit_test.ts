import { assertEquals } from "@std/assert";
import {
  lastSetting,
  parseSettings,
  readLoadedUnit,
  settingText,
  variableFile,
  variableValue,
} from "../../lib/doctor/loaded_unit.ts";
import { inFolder } from "../temp_folder.ts";

Deno.test("parseSettings() reads the sections of the unit and of its service, over continued lines", () => {
  const text = [
    "# A comment",
    "[Unit]",
    "After=network.target",
    "[Service]",
    "ExecStart=/opt/x --config \\",
    "  /etc/x",
    "Environment=A=1 B=2",
    "; another comment",
    " User = x",
    "[Install]",
    "WantedBy=multi-user.target",
  ].join("\n");
  assertEquals(parseSettings(text, "/x").map(({ name, value }) => [name, value]), [
    ["After", "network.target"],
    ["ExecStart", "/opt/x --config    /etc/x"],
    ["Environment", "A=1 B=2"],
    ["User", "x"],
  ]);
  assertEquals(parseSettings(text, "/x").map(({ line }) => line), [3, 5, 7, 9]);
  assertEquals(parseSettings("no unit at all", "/x"), []);
});

inFolder.test("readLoadedUnit() takes properties in systemd's words, and settings with their files", async (folder) => {
  const [unit, dropIn] = [`${folder.path}/x.service`, `${folder.path}/y.conf`];
  Deno.writeTextFileSync(unit, "[Service]\nLimitAS=1G\nEnvironment=A=1\n");
  Deno.writeTextFileSync(dropIn, '[Service]\nLimitAS=2G\nEnvironment="TOKEN=a=b" C=3\n');
  const output = [
    "LoadState=loaded",
    "ExecMainStatus=217",
    "Job=1",
    "Job=2",
    `FragmentPath=${unit}`,
    `DropInPaths=${dropIn} ${folder.path}/none.conf`,
  ].join("\n");
  const commands: string[] = [];
  const tools = {
    run({ tool, args }: { tool: string; args: readonly string[] }) {
      commands.push([tool, ...args.slice(0, 3)].join(" "));
      return Promise.resolve({ code: 0, output });
    },
  };
  const { signal } = new AbortController();
  const found = await readLoadedUnit("x", { scope: "user", tools, signal });
  assertEquals(commands, ["systemctl --user show x.service"]);
  assertEquals(found?.name, "x.service");
  assertEquals(found?.property("ExecMainStatus"), "217");
  assertEquals(found?.property("Result"), "");
  assertEquals(found?.property("Job"), "1\n2");
  const settings = found?.settings ?? [];
  const limit = lastSetting(settings, "LimitAS");
  assertEquals(limit && settingText(limit), `LimitAS=2G in ${dropIn}:2`);
  assertEquals(lastSetting(settings, "User"), undefined);
  assertEquals([variableFile(settings, "TOKEN"), variableFile(settings, "A")], [dropIn, unit]);
  assertEquals(variableFile(settings, "TOKE"), undefined);
  const none = { run: () => Promise.resolve({ code: 1, output: "no bus" }) };
  assertEquals(await readLoadedUnit("x", { scope: "system", tools: none, signal }), undefined);
});

Deno.test("variableValue() is that of the last setting, quoted or not", () => {
  const of = (...values: string[]) =>
    variableValue(values.map((value) => ({ name: "Environment", value, file: "/x" })), "A");
  assertEquals(of(), undefined);
  assertEquals(of("A=1 B=2"), "1");
  assertEquals(of("B=2 A=3"), "3");
  assertEquals(of('"A=1 2"'), "1 2");
  assertEquals(of("A=1", "A=2"), "2");
  assertEquals(of("BA=1"), undefined);
});
