import { assertEquals, assertThrows } from "@std/assert";
import { resolveConfig } from "../../lib/config/config.ts";
import { UsageError } from "../../lib/config/usage_error.ts";

const FILES: Readonly<Record<string, string>> = {
  "/etc/komari-agent-deno/config.json": '{"endpoint": "https://p.example", "interval": 7}',
  "/etc/node-2/config.json": '{"endpoint": "https://q.example"}',
  "/own.json": '{"endpoint": "https://own.example"}',
};

function endpointOf(args: readonly string[], env: Record<string, string> = {}): string {
  return resolveConfig({
    args,
    env,
    readText(path) {
      const text = FILES[path];
      if (text === undefined) throw new Error("no such file");
      return text;
    },
    readMode: () => 0o600,
    installedConfigs: (
      name,
    ) => [`/home/ann/.config/${name}/config.json`, `/etc/${name}/config.json`],
  }).endpoint;
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
    const config = resolveConfig({
      args: [...command, "-e", own],
      env: {},
      readText: () => '{"interval": 7}',
      readMode: () => 0o600,
      installedConfigs: () => ["/etc/komari-agent-deno/config.json"],
    });
    assertEquals([config.intervalSeconds, config.isConfigInstalled], [undefined, false]);
    const ofVariable = resolveConfig({
      args: command,
      env: { AGENT_ENDPOINT: own },
      readText: () => '{"interval": 7, "token": "of-the-service"}',
      readMode: () => 0o600,
      installedConfigs: () => ["/etc/komari-agent-deno/config.json"],
    });
    assertEquals([ofVariable.token, ofVariable.isConfigInstalled], ["", false]);
  }
});

Deno.test("resolveConfig() lets no agent trust an installed configuration of another user", () => {
  const recorded = new Map([["ca_cert", "/etc/ca.pem"]]);
  const sources = (args: readonly string[]) => ({
    args,
    env: {},
    readText: (path: string) =>
      path === "/etc/ca.pem"
        ? "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n"
        : '{"endpoint": "https://p.example", "token_file": "/root/secret", "ca_cert": "/etc/ca.pem"}',
    readMode: () => 0o600,
    installedConfigs: () => ["/etc/komari-agent-deno/config.json"],
    recordedOptions: () => recorded,
    isOwn: () => false,
  });
  assertThrows(() => resolveConfig(sources([])), UsageError, "another user owns it");
  const config = resolveConfig(sources(["config", "show"]));
  assertEquals([config.endpoint, config.token, config.caCerts.length], [
    "https://p.example",
    "",
    1,
  ]);
  assertEquals(config.notices, [
    "key token_file of the installed configuration is ignored, because another user owns that file",
  ]);
  assertEquals(resolveConfig(sources(["--dry-run"])).token, "");
  assertEquals(resolveConfig(sources(["install"])).caCerts, [], "install merges them itself");
});

Deno.test("an update goes by what root was told, and not by what the agent owns", () => {
  const sources = {
    env: {},
    readText: () => '{"mirror": "https://evil.example"}',
    readMode: () => 0o600,
    installedConfigs: () => ["/etc/komari-agent-deno/config.json"],
  };
  const told = new Map([["mirror", "https://m.example"], ["token_file", "/not/there"]]);
  const mirrorOf = (args: readonly string[]) =>
    resolveConfig({ ...sources, args, recordedOptions: () => told }).mirror;
  assertEquals(resolveConfig({ ...sources, args: ["update"] }).mirror, "");
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
  assertThrows(
    () =>
      resolveConfig({
        args: ["health"],
        env: {},
        readText: () => "{",
        readMode: () => 0o600,
        installedConfigs: () => ["/etc/komari-agent-deno/config.json"],
      }),
    UsageError,
    "the installed configuration /etc/komari-agent-deno/config.json",
  );
});

Deno.test("resolveConfig() ignores another user's paths where root would go by them", () => {
  const stateOf = (command: string) =>
    resolveConfig({
      args: command.split(" "),
      env: {},
      readText: () => '{"state_dir": "/srv/state"}',
      readMode: () => 0o600,
      installedConfigs: () => ["/etc/komari-agent-deno/config.json"],
      isOwn: () => false,
    }).stateDir;
  for (const command of ["report --dry-run", "install", "doctor", "config show"]) {
    assertEquals(stateOf(command), "", command);
  }
  for (const command of ["status", "health", "traffic show", "traffic set"]) {
    assertEquals(stateOf(command), "/srv/state", command);
  }
});

Deno.test("resolveConfig() asks for the record of the service that is named", () => {
  const mirrorOf = (...words: string[]) =>
    resolveConfig({
      args: ["update", ...words],
      env: {},
      readText: () => "",
      readMode: () => 0o600,
      recordedOptions: (name) => new Map([["mirror", `https://${name}.example`]]),
    }).mirror;
  assertEquals(mirrorOf(), "https://komari-agent-deno.example");
  assertEquals(mirrorOf("--install-service-name", "node-2"), "https://node-2.example");
});
