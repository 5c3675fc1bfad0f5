import { assertEquals } from "@std/assert";
import {
  defaultLimits,
  managerSettings,
  variablePlace,
} from "../../lib/service/manager_settings.ts";
import { inFolder } from "../temp_folder.ts";

const { signal } = new AbortController();

inFolder.test("managerSettings() has the variables of systemd's environment that an agent uses", async ({ path }) => {
  const conf = `${path}/environment.d/proxy.conf`;
  Deno.mkdirSync(`${path}/environment.d`);
  Deno.writeTextFileSync(conf, "# A proxy\nHTTPS_PROXY=http://127.0.0.1:9\n");
  const output = [
    "LANG=C.UTF-8",
    "HTTPS_PROXY=http://127.0.0.1:9",
    "AGENT_ENDPOINT=$'https://a b'",
    "PATH=/bin",
  ].join("\n");
  const commands: string[] = [];
  const tools = {
    has: () => true,
    run({ tool, args }: { tool: string; args: readonly string[] }) {
      commands.push([tool, ...args].join(" "));
      return Promise.resolve({ code: 0, output });
    },
  };
  const env = { XDG_CONFIG_HOME: path };
  const shown =
    "systemd's own environment; take it out: systemctl --user unset-environment AGENT_ENDPOINT";
  assertEquals(await managerSettings("user", { env, tools, signal }), [
    { name: "Environment", value: '"HTTPS_PROXY=http://127.0.0.1:9"', file: `${conf}:2` },
    { name: "Environment", value: '"AGENT_ENDPOINT=https://a b"', file: shown },
  ]);
  assertEquals(commands, ["systemctl --user show-environment"]);
  const none = { ...tools, run: () => Promise.resolve({ code: 1, output }) };
  assertEquals(await managerSettings("system", { env, tools: none, signal }), []);
});

inFolder.test("variablePlace() is the last file and line that set it", ({ path }) => {
  const [main, dropIn] = [`${path}/system.conf`, `${path}/10.conf`];
  Deno.writeTextFileSync(
    main,
    [
      "[Manager]",
      "#DefaultEnvironment=HTTP_PROXY=a",
      'DefaultEnvironment=A=1 "HTTPS_PROXY=b"',
      "DefaultEnvironment=NOT_HTTP_PROXY=c",
    ].join("\n"),
  );
  Deno.writeTextFileSync(dropIn, "[Manager]\nDefaultEnvironment=HTTPS_PROXY=d\n");
  assertEquals(variablePlace("HTTPS_PROXY", [main, `${path}/none`]), `${main}:3`);
  assertEquals(variablePlace("HTTPS_PROXY", [main, dropIn]), `${dropIn}:2`);
  assertEquals(variablePlace("A", [main]), `${main}:3`);
  assertEquals(variablePlace("HTTP_PROXY", [main, dropIn]), undefined);
});

inFolder.test("defaultLimits() are those that systemd gives to each service", ({ path }) => {
  const file = `${path}/system.conf`;
  const lines = ["[Manager]", "#DefaultLimitAS=1", "DefaultLimitNOFILE=16:32", "DefaultTasksMax=3"];
  Deno.writeTextFileSync(file, lines.join("\n"));
  assertEquals(defaultLimits([`${path}/none`, file]), [
    { name: "LimitNOFILE", value: "16:32", file: `${file}:3` },
    { name: "TasksMax", value: "3", file: `${file}:4` },
  ]);
});
