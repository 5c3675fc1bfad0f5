import { assertEquals, assertStringIncludes } from "@std/assert";
import {
  AS_SERVICE,
  leftAsService,
  parseUnitSettings,
  runAsService,
  type ServiceRun,
} from "../../lib/cli/doctor_as_service.ts";
import type { Config } from "../../lib/config/config.ts";
import type { ToolCommand, ToolResult } from "../../lib/host/tool_runner.ts";
import type { InstallRecord } from "../../lib/service/install_record.ts";
import { packagedRecord } from "../../lib/service/packaged_service.ts";
import type { UnitSetting } from "../../lib/service/loaded_unit.ts";
import { configOf } from "./fake_context.ts";
import { FakeTime } from "../fake_time.ts";
import { openHealth } from "../state/health_folder.ts";
import { adviceText } from "./advice_text.ts";
import { inFolder, TempFolder } from "../temp_folder.ts";
import { restoring } from "../restoring.ts";

function recordIn(folder: string, change: Partial<InstallRecord> = {}): InstallRecord {
  return {
    ...packagedRecord(),
    ...{ service: "komari-x", scope: "user", user: "", program: "/opt/x/komari-agent-deno" },
    ...{ config: `${folder}/config.json`, runtimeFolder: `${folder}/run`, ...change },
  };
}

const CHECK = JSON.stringify({
  check: { id: "x", title: "X", status: "ok", text: "fine", ms: 1 },
});

interface Run {
  readonly run: ServiceRun | undefined;
  readonly commands: readonly ToolCommand[];
}

/** Runs the checks with `systemctl` and `systemd-run` that answer so. */
async function runWith(
  { shown = {}, checked = {}, change = {}, args = [], env = {}, settings = [], prepare }: {
    shown?: Partial<ToolResult>;
    checked?: Partial<ToolResult>;
    change?: Partial<InstallRecord>;
    args?: readonly string[];
    env?: Record<string, string>;
    settings?: readonly UnitSetting[];
    prepare?: (folder: string) => void;
  } = {},
): Promise<Run> {
  using temp = new TempFolder();
  const folder = temp.path;
  const commands: ToolCommand[] = [];
  prepare?.(folder);
  const answers: Record<string, ToolResult> = {
    "systemctl": { code: 0, output: "User=komari\nEnvironment=HTTPS_PROXY=x\n", ...shown },
    "systemd-run": { code: 0, output: `${CHECK}\n`, ...checked },
  };
  const tools = {
    run(command: ToolCommand) {
      commands.push(command);
      return Promise.resolve(answers[command.tool] ?? { code: 127, output: "" });
    },
  };
  const config: Config = { ...configOf(["doctor", ...args]), isConfigInstalled: true };
  const { signal } = new AbortController();
  const run = await runAsService(config, recordIn(folder, change), {
    ...{ env, tools, settings, signal, timeoutMs: 5_000 },
  });
  return { run, commands };
}

Deno.test("runAsService() has systemd run the doctor as the service, and takes its checks", async () => {
  const { run, commands } = await runWith({ change: { runtimeFolder: "/run/user/7/komari-x" } });
  assertEquals(run?.checks, [CHECK]);
  assertEquals(run?.result.status, "ok");
  assertStringIncludes(run?.result.text ?? "", "the service, as komari with its variables");
  assertEquals(commands.map(({ tool }) => tool), ["systemctl", "systemd-run"]);
  const [show, start] = commands.map(({ args }) => args.join(" "));
  assertStringIncludes(show ?? "", "--user show komari-x.service");
  assertStringIncludes(start ?? "", `--setenv=${AS_SERVICE}=[]`);
  assertStringIncludes(start ?? "", "--setenv=RUNTIME_DIRECTORY=/run/user/7/komari-x");
  const words = commands[1]?.args.slice(commands[1].args.indexOf("--") + 1) ?? [];
  assertEquals(words.slice(0, 4), ["/opt/x/komari-agent-deno", "doctor", "--json", "--config"]);
  assertEquals(words.slice(-2), ["--install-service-name", "komari-x"]);
});

Deno.test("leftAsService() is the time until the doctor as the service is ended", async () => {
  using _ = new FakeTime({ now: 1_000_000 });
  const { commands } = await runWith({});
  const [, name = "", value = ""] =
    commands[1]?.args.map((word) => /^--setenv=(\w+_UNTIL)=(.*)$/.exec(word))
      .find((match) => match !== null) ?? [];
  assertEquals(leftAsService({ [name]: value }), 5_000);
  const others = [{}, { [name]: "x" }, { [name]: "999999" }, { [name]: "1020000" }];
  for (const env of others) {
    assertEquals(leftAsService(env), 10_000, "nobody has set it, or the clock");
  }
});

Deno.test("runAsService() gives the settings on that explain, and no value of a variable", async () => {
  const file = "/x/drop-in.conf";
  const settings = [
    { name: "PrivateNetwork", value: "yes", file },
    { name: "Restart", value: "always", file },
    { name: "Environment", value: '"AGENT_TOKEN=s3cret" B=two', file },
  ];
  const { commands } = await runWith({ settings });
  const [, text = ""] = /^--setenv=\w+=(.*)$/.exec(
    commands[1]?.args.find((word) => word.includes(AS_SERVICE)) ?? "",
  ) ?? [];
  assertEquals(parseUnitSettings(text), [
    { name: "PrivateNetwork", value: "yes", file },
    { name: "Environment", value: "AGENT_TOKEN= B=", file },
  ]);
  assertEquals(JSON.stringify(commands).includes("s3cret"), false);
  for (const wrong of ["", "1", "{}", '[1, {"name": "x"}]']) {
    assertEquals(parseUnitSettings(wrong), []);
  }
  assertStringIncludes(commands[1]?.args.join(" ") ?? "", "-p RuntimeMaxSec=5 ");
});

Deno.test("runAsService() is for the installed configuration alone", async () => {
  const { signal } = new AbortController();
  const tools = { run: () => Promise.reject(new Error("not called")) };
  const config = configOf(["doctor"]);
  const record = recordIn("/nowhere");
  assertEquals(
    await runAsService(config, record, { env: {}, settings: [], timeoutMs: 5_000, tools, signal }),
    undefined,
  );
  const installed = { ...config, isConfigInstalled: true };
  assertEquals(
    await runAsService(installed, undefined, {
      env: {},
      settings: [],
      timeoutMs: 5_000,
      tools,
      signal,
    }),
    undefined,
  );
});

Deno.test("runAsService() names what the shell alone has, and what the service alone has", async () => {
  const table: [env: Record<string, string>, shown: string, words: string][] = [
    [{}, "User=\nEnvironment=\n", "this user with its variables and limits"],
    [
      { NO_PROXY: "a", AGENT_INTERVAL: "3", AGENT_EMPTY: "" },
      "User=x\nEnvironment=HTTP_PROXY=y DENO_CERT=z OTHER=1\n",
      "x with its variables and limits; this shell alone has NO_PROXY, AGENT_INTERVAL, which are " +
      "not used; the service alone has HTTP_PROXY, DENO_CERT",
    ],
    [
      { https_proxy: "a" },
      "User=x\nEnvironment=HTTPS_PROXY=y AGENT_X=1\n",
      "x with its variables and limits",
    ],
    [
      { AGENT_X: "1", SSL_CERT_FILE: "/x" },
      "User=x\nEnvironment=AGENT_X=1\n",
      "x with its variables and limits; this shell alone has SSL_CERT_FILE, which is not used",
    ],
  ];
  for (const [env, output, words] of table) {
    const { run } = await runWith({ env, shown: { output } });
    assertEquals(run?.result.text, `the service, as ${words}`);
  }
  const setting = (value: string) => ({ name: "Environment", value, file: "/x/drop-in.conf" });
  const { run } = await runWith({
    shown: { output: "User=x\nEnvironment=HTTPS_PROXY=y no_proxy=z ALL_PROXY=w\n" },
    settings: [setting('"HTTPS_PROXY=y"'), setting("no_proxy=z")],
  });
  assertStringIncludes(
    run?.result.text ?? "",
    "alone has HTTPS_PROXY (/x/drop-in.conf), ALL_PROXY, NO_PROXY (/x/drop-in.conf)",
  );
});

inFolder.test("runAsService() counts the variables of the service's files", async (temp) => {
  const file = `${temp.path}/file`;
  Deno.writeTextFileSync(
    file,
    "# NO_PROXY=commented\nexport HTTP_PROXY=z\n  ALL_PROXY=x\nno_proxy=y\n",
  );
  const output = `User=x\nEnvironmentFiles=${file} (ignore_errors=yes)\n`;
  const { run } = await runWith({ shown: { output } });
  assertStringIncludes(run?.result.text ?? "", "; the service alone has ALL_PROXY, NO_PROXY");
  const settings = [{ name: "EnvironmentFile", value: `-${file}`, file: "/x.service" }];
  const named = await runWith({ shown: { output }, settings });
  assertStringIncludes(named.run?.result.text ?? "", `ALL_PROXY (${file}), NO_PROXY (${file})`);
  assertStringIncludes(named.commands[1]?.args.join(" ") ?? "", '"ALL_PROXY= no_proxy="');
});

Deno.test("runAsService() takes the checks that ended before their process was ended", async () => {
  const { run } = await runWith({ checked: { code: 124 } });
  assertEquals([run?.checks, run?.result.status], [[CHECK], "warning"]);
  assertStringIncludes(run?.result.text ?? "", "ended before all checks did (code 124)");
});

Deno.test("runAsService() tests from this shell where the checks can't run as the service", async () => {
  const failing: [name: string, options: Parameters<typeof runWith>[0], reason: string][] = [
    ["no settings", { shown: { code: 1, output: "Failed to connect to bus\n" } }, "Failed to"],
    ["an end", { checked: { code: 1, output: "x\n{}\nCannot start\nend\n" } }, "Cannot start"],
    [
      "no checks",
      { checked: { output: "{}\n", code: 203 } },
      "its start exited with code 203 and said nothing",
    ],
    ["no words", { checked: { code: 3, output: "one\ntwo\n" } }, "two"],
    [
      "a failure",
      { checked: { code: 1, output: "Cannot x\nFailed to start\nsee log\n" } },
      "Failed",
    ],
    ["a limit", { checked: { code: 1, output: "Too many open files\nx\n" } }, "Too many"],
    [
      "a program that is damaged",
      { checked: { code: 1, output: "error: SyntaxError: x\n | ~\n    at file:///opt/x:11:2\n" } },
      "its runtime ended",
    ],
  ];
  for (const [name, options, reason] of failing) {
    const { run } = await runWith(options);
    assertEquals([run?.checks, run?.result.status], [undefined, "failed"], name);
    assertStringIncludes(run?.result.text ?? "", `since no check can run as it does: ${reason}`);
  }
  const long = await runWith({ checked: { code: 1, output: `Cannot ${"x".repeat(400)}` } });
  assertEquals((long.run?.result.text ?? "").split("does: ")[1]?.length, 300);
  // An agent that is seen does run.
  using temp = new TempFolder();
  const folder = temp.path;
  using health = openHealth(folder);
  health.accepted(3000);
  const seen = await runWith({
    checked: { code: 1, output: "" },
    change: { runtimeFolder: folder },
  });
  assertEquals(seen.run?.result.status, "skipped");
});

Deno.test("runAsService() uses the service's proxies where it can't run as the service", async () => {
  const { run, commands } = await runWith({
    change: { manager: "openrc", user: "komari" },
    prepare: (folder) => Deno.writeTextFileSync(`${folder}/environment`, "HTTP_PROXY=http://p:1\n"),
  });
  assertEquals([run?.checks, run?.proxies], [undefined, { http: "http://p:1" }]);
  assertEquals([run?.result.status, run?.result.advice, commands], ["skipped", undefined, []]);
  assertEquals(
    run?.result.text,
    "this shell with the service's proxies, and not as the service runs (user komari): openrc " +
      "can't do that",
  );
});

Deno.test("runAsService() says that another user's service is for root, and runs one's own", async () => {
  using _uid = restoring(Deno, "uid");
  Deno.uid = () => 1000;
  const { run, commands } = await runWith({ change: { scope: "system" } });
  assertStringIncludes(adviceText(run?.result), "run it as root (sudo)");
  assertEquals(commands, []);
  assertEquals((await runWith({ change: { scope: "user" } })).run?.checks, [CHECK]);
});

Deno.test("runAsService() goes on where a file of the service's variables is gone", async () => {
  const output = "User=x\nEnvironmentFiles=/nowhere/of/this/test (ignore_errors=yes)\n";
  const { run } = await runWith({ shown: { output } });
  assertEquals([run?.checks, run?.result.status], [[CHECK], "ok"]);
});

Deno.test("runAsService() leaves options of the command line out of the service, and says so", async () => {
  const { run, commands } = await runWith({ args: ["--gpu", "--interval", "3"] });
  assertEquals(commands, []);
  assertEquals([run?.checks, run?.result.status], [undefined, "skipped"]);
  assertStringIncludes(run?.result.text ?? "", "does not have --interval, --gpu of the command");
  // These change nothing but what is shown.
  const shown = await runWith({
    args: ["--lang", "zh", "--json", "--log-level", "debug", "--log-format", "json"],
  });
  assertEquals(shown.run?.checks, [CHECK]);
});

Deno.test("runAsService() knows each variable that changes how a panel is reached", async () => {
  const names = [
    ...["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"],
    ...["DENO_CERT", "DENO_TLS_CA_STORE", "NODE_EXTRA_CA_CERTS"],
  ];
  const env = Object.fromEntries([...names, "HOME", "PATH"].map((name) => [name, "x"]));
  const { run } = await runWith({ env, shown: { output: "User=x\n" } });
  const words = `this shell alone has ${names.join(", ")}, which are`;
  assertStringIncludes(run?.result.text ?? "", words);
});

Deno.test("runAsService() is as root for a system's service that names no user", {
  ignore: Deno.uid() !== 0,
}, async () => {
  const { run, commands } = await runWith({
    change: { scope: "system" },
    shown: { output: "Environment=\n" },
  });
  assertEquals(run?.result.text, "the service, as root with its variables and limits");
  assertEquals(commands[0]?.args.includes("--user"), false);
});

Deno.test("runAsService() goes on without the service's proxies where they can't be read", async () => {
  const { run } = await runWith({
    change: { manager: "openrc" },
    prepare: (folder) => Deno.writeTextFileSync(`${folder}/environment`, "HTTP_PROXY=ftp://p\n"),
  });
  assertEquals([run?.proxies, run?.result.status], [{}, "skipped"]);
});
