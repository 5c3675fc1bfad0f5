import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import type { Config, ConfigInput } from "../../lib/config/config.ts";
import { UsageError } from "../../lib/config/usage_error.ts";
import { resolve } from "./resolved.ts";

const FILES: Readonly<Record<string, string>> = {
  "/etc/komari-agent-deno/config.json": '{"endpoint": "https://p.example", "interval": 7}',
  "/etc/node-2/config.json": '{"endpoint": "https://q.example"}',
  "/own.json": '{"endpoint": "https://own.example"}',
};

const INSTALLED = "/etc/komari-agent-deno/config.json";

function endpointOf(args: readonly string[], env: Record<string, string> = {}): string {
  const installedConfigs = (name: string) =>
    ["/home/ann/.config", "/etc"].map((folder) => `${folder}/${name}/config.json`);
  return resolve(args, { env, files: FILES, installedConfigs }).endpoint;
}

/** What a command line asks for where a service is installed with this configuration. */
function beside(text: string, args: readonly string[], more: Partial<ConfigInput> = {}): Config {
  return resolve(args, { readText: () => text, installedConfigs: () => [INSTALLED], ...more });
}

Deno.test("installedConfig() is used by commands about the installed agent", () => {
  const commands = ["install", "traffic show", "traffic set", "health", "status", "doctor"];
  for (const command of commands) {
    assertEquals(endpointOf(command.split(" ")), "https://p.example", command);
  }
});

Deno.test("resolveConfig() finds the installed configuration unless a panel is named", () => {
  for (const args of [[], ["--dry-run"], ["config", "show"]]) {
    assertEquals(endpointOf(args), "https://p.example", args.join(" "));
  }
  for (const args of [["demo"], ["version"], ["help"]]) assertEquals(endpointOf(args), "");
  const own = "https://own.example";
  for (const command of [[], ["doctor"]]) {
    assertEquals(endpointOf([...command, "-e", own]), own);
    assertEquals(endpointOf(command, { AGENT_ENDPOINT: own }), own);
    const config = beside('{"interval": 7}', [...command, "-e", own]);
    assertEquals([config.intervalSeconds, config.isConfigInstalled], [undefined, false]);
    const ofService = '{"interval": 7, "token": "of-the-service"}';
    const ofVariable = beside(ofService, command, { env: { AGENT_ENDPOINT: own } });
    assertEquals([ofVariable.token, ofVariable.isConfigInstalled], ["", false]);
  }
});

Deno.test("resolveConfig() takes nothing of the installed panels where others are given", () => {
  const resolved = (args: readonly string[], env: Record<string, string> = {}) => {
    const panel = { endpoint: "https://p.example", token: "t0ken-p", enable_remote_control: true };
    const config = beside(JSON.stringify({ ...panel, interval: 7 }), args, { env });
    const { endpoint, token, remoteControl, intervalSeconds, furtherPanels, givesPanels } = config;
    return [endpoint, token, remoteControl, intervalSeconds, furtherPanels.length, givesPanels];
  };
  const own = ["https://own.example", "", false, 7, 0, true];
  for (const command of [["install"], ["config", "show"]]) {
    assertEquals(resolved([...command, "-e", "https://own.example"]), own);
    assertEquals(resolved(command, { AGENT_ENDPOINT: "https://own.example" }), own);
    const env = { AGENT_PANELS: '[{"endpoint": "https://own.example", "token": "t0ken-o"}]' };
    assertEquals(resolved(command, env), ["https://own.example", "t0ken-o", false, 7, 0, true]);
    assertEquals(resolved(command), ["https://p.example", "t0ken-p", true, 7, 0, false]);
  }
});

Deno.test("resolveConfig() refuses an installed configuration of another user, not one that is named", () => {
  const resolved = (args: readonly string[]) =>
    beside('{"endpoint": "https://p.example"}', args, { foreignOwner: () => 1001 });
  const why =
    `Cannot use the installed configuration ${INSTALLED}: another user (id 1001) owns it and may have ` +
    `changed it; check it, and run \`chown root ${INSTALLED}\` and \`install\``;
  const { mistake = "", endpoint } = resolved(["status"]);
  assertEquals([mistake.startsWith(why), endpoint], [true, ""]);
  for (const command of ["", "--dry-run", "install", "config show"]) {
    const args = command.split(" ").filter((word) => word !== "");
    assertThrows(() => resolved(args), UsageError, why);
    const { endpoint, isConfigInstalled } = resolved([...args, "--config", INSTALLED]);
    assertEquals([endpoint, isConfigInstalled], ["https://p.example", false], command);
  }
  assertEquals(resolved(["-e", "https://own.example"]).endpoint, "https://own.example");
  assertEquals(resolved(["update"]).endpoint, "", "it reads none");
});

Deno.test("an update goes by the record of the installation", () => {
  const evil = '{"mirror": "https://evil.example"}';
  const told = new Map([["mirror", "https://m.example"]]);
  const mirrorOf = (args: readonly string[]) =>
    beside(evil, args, { recordedOptions: () => told }).mirror;
  assertEquals(beside(evil, ["update"]).mirror, "");
  assertEquals(mirrorOf(["update"]), "https://m.example");
  assertEquals(mirrorOf(["update", "--mirror", "https://own.example"]), "https://own.example");
  assertEquals(mirrorOf(["-e", "https://p.example"]), "");
});

Deno.test("installedConfig() is of the service that is named", () => {
  const args = ["install", "--install-service-name"];
  assertEquals(endpointOf([...args, "node-2"]), "https://q.example");
  assertEquals(endpointOf([...args, "node-3"]), "");
});

Deno.test("installedConfig() gives way to a file that is named", () => {
  assertEquals(endpointOf(["health", "--config", "/own.json"]), "https://own.example");
  assertEquals(endpointOf(["health"], { AGENT_CONFIG_FILE: "/own.json" }), "https://own.example");
});

Deno.test("installedConfig() is named when it is broken", () => {
  const why = `the installed configuration ${INSTALLED}`;
  assertThrows(() => beside("{", ["config", "show"]), UsageError, why);
});

Deno.test("resolveConfig() takes an option of the record where the installed file is not read", () => {
  const stateOf = (args: readonly string[], texts: Readonly<Record<string, string>>) =>
    resolve(["install", ...args], {
      files: texts,
      installedConfigs: () => [INSTALLED],
      recordedOptions: () => new Map([["state_dir", "/srv/state"]]),
    });
  assertEquals(stateOf([], { [INSTALLED]: "{}" }).stateDir, "", "it was taken out of the file");
  const named = { "/own.json": '{"interval": 7}' };
  const config = stateOf(["--config", "/own.json"], named);
  assertEquals([config.stateDir, config.intervalSeconds], ["/srv/state", 7]);
  assertEquals(config.origins.get("state_dir"), "state_dir of the installation");
  assertEquals(stateOf(["--config", "/own.json", "--unset", "state-dir"], named).stateDir, "");
});

Deno.test("resolveConfig() puts what the installation was told over what an official agent was", () => {
  const config = resolve(["install"], {
    recordedOptions: () => new Map([["mirror", "https://recorded.example"]]),
    importedOptions: new Map([["mirror", "https://official.example"], ["interval", "7"]]),
  });
  assertEquals([config.mirror, config.intervalSeconds], ["https://recorded.example", 7]);
});

Deno.test("resolveConfig() asks for the record of the service that is named", () => {
  const mirrorOf = (...words: string[]) =>
    resolve(["update", ...words], {
      recordedOptions: (name) => new Map([["mirror", `https://${name}.example`]]),
    }).mirror;
  assertEquals(mirrorOf(), "https://komari-agent-deno.example");
  assertEquals(mirrorOf("--install-service-name", "node-2"), "https://node-2.example");
});

Deno.test("resolveConfig() leaves out an installed configuration with a mistake where an agent is only shown", () => {
  for (const text of ['{"intervall": 3}', "{", '{"interval": "x"}']) {
    for (const command of ["status", "health", "doctor"]) {
      const { mistake = "", isConfigInstalled } = beside(text, [command]);
      assertStringIncludes(mistake, INSTALLED);
      assertEquals(isConfigInstalled, false);
    }
    assertThrows(() => beside(text, ["config", "show"]), UsageError);
    assertThrows(() => beside(text, ["status", "--config", INSTALLED]), UsageError);
  }
  assertThrows(() => beside("{}", ["status", "--nonsense"]), UsageError);
  assertEquals(beside("{}", ["status"]).mistake, undefined);
});
