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
  for (const command of ["install", "traffic show", "traffic set", "health"]) {
    assertEquals(endpointOf(command.split(" ")), "https://p.example", command);
  }
});

Deno.test("resolveConfig() finds the installed configuration unless a panel is named", () => {
  for (const args of [[], ["--dry-run"], ["config", "show"]]) {
    assertEquals(endpointOf(args), "https://p.example", args.join(" "));
  }
  for (const args of [["demo"], ["version"], ["help"]]) assertEquals(endpointOf(args), "");
  assertEquals(endpointOf(["-e", "https://own.example"]), "https://own.example");
  assertEquals(endpointOf([], { AGENT_ENDPOINT: "https://own.example" }), "https://own.example");
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
