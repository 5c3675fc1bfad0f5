import { assert, assertEquals } from "@std/assert";
import { type Config, resolveConfig } from "../../lib/config/config.ts";
import { OPTION_ROWS } from "../../lib/config/option_table.ts";
import { publicConfig } from "../../lib/config/public_config.ts";

function configOf(args: readonly string[], env: Record<string, string> = {}): Config {
  const files: Record<string, string> = { "/token": "token-of-a-file" };
  const readText = (path: string) => files[path] ?? "";
  return resolveConfig({ args, env, readText, readMode: () => undefined });
}

function shown(args: readonly string[], env?: Record<string, string>): Record<string, unknown> {
  return publicConfig(configOf(args, env));
}

Deno.test("publicConfig() shows values by the keys of the configuration file", () => {
  const config = shown([
    ...["--endpoint", "https://panel.example.com/base", "--interval", "5"],
    ...["--include-nics", "eth0,wlan*", "--custom-dns", "1.1.1.1", "--gpu"],
  ]);
  assertEquals(config.endpoint, "https://panel.example.com/base");
  assertEquals([config.interval, config.enable_gpu, config.disable_compression], [5, true, false]);
  assertEquals(config.include_nics, ["eth0", "wlan*"]);
  assertEquals(config.custom_dns, "1.1.1.1");
  assert(!("token" in config));
});

Deno.test("publicConfig() hides every secret, from whichever layer", () => {
  const secrets = {
    AGENT_TOKEN: "secret-1-of-the-environment",
    AGENT_AUTO_DISCOVERY_KEY: "secret-2-of-the-environment",
    AGENT_PANELS: '[{"endpoint": "https://b.example.com", "token": "secret-10"}]',
    AGENT_HEADERS: "X-Secret: secret-3\nOther: secret-4",
    AGENT_CF_ACCESS_CLIENT_ID: "secret-5",
    AGENT_CF_ACCESS_CLIENT_SECRET: "secret-6",
    AGENT_IP_SERVICES: "https://user:secret-7@ip.example.com/?key=secret-8",
    HTTPS_PROXY: "http://user:secret-9@127.0.0.1:1",
  };
  const config = shown([], { ...secrets, AGENT_ENDPOINT: "https://panel.example.com" });
  const text = JSON.stringify(config);
  assert(!text.includes("secret-"), text);
  const keys = OPTION_ROWS.flatMap(({ key, secret }) => secret && key !== undefined ? [key] : []);
  assert(keys.length > 3);
  for (const key of keys) assertEquals(config[key], "(hidden)", key);
  assertEquals(config.ip_services, ["https://ip.example.com/?…"]);
});

Deno.test("publicConfig() hides a password with an @ in it, and a secret within another value", () => {
  const config = shown([
    ...["-e", "https://panel.example.com/t0ken-of-this-node", "-t", "t0ken-of-this-node"],
    ...["--ip-services", "https://user:pass@word@ip.example.com,https://ip.example.com/?a@b"],
  ]);
  assertEquals(config.endpoint, "https://panel.example.com/…");
  assertEquals(config.ip_services, ["https://ip.example.com", "https://ip.example.com/?a@b"]);
});

Deno.test("publicConfig() hides a token that comes from a file", () => {
  const config = shown(["-e", "https://panel.example.com", "--token-file", "/token"]);
  assertEquals([config.token, config.token_file], ["(hidden)", "/token"]);
});

Deno.test("publicConfig() says whether remote control is off, as the official agent does", () => {
  assertEquals(shown([]).disable_web_ssh, true);
  assertEquals(shown(["--enable-remote-control"]).disable_web_ssh, false);
  assertEquals(shown(["--enable-remote-control", "--disable-web-ssh"]).disable_web_ssh, true);
  const first = configOf(["--enable-remote-control"]);
  assertEquals(publicConfig({ ...first, remoteControl: false }).enable_remote_control, false);
});

Deno.test("publicConfig() leaves out options without effect, and what only flags can set", () => {
  const config = shown(["--max-retries", "9", "--port", "1", "demo"]);
  assertEquals(["max_retries", "port", "memory_mode_available"].filter((it) => it in config), []);
});
