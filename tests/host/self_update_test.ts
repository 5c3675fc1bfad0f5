import { assertEquals } from "@std/assert";
import { resolveConfig } from "../../lib/config/config.ts";
import { updateCommand } from "../../lib/host/self_update.ts";

const PROGRAM = { form: "binary", path: "/opt/agent/komari-agent-deno" } as const;
const URL = "https://releases.example/latest";
const NODE = ["-e", "https://panel.example", "-t", "s3cret-token"];

function command(
  args: readonly string[],
  options: Partial<Parameters<typeof updateCommand>[1]> & { env?: Record<string, string> } = {},
) {
  const config = resolveConfig({
    args,
    env: options.env ?? {},
    readText: () => "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n",
    readMode: () => undefined,
  });
  return updateCommand(config, { program: PROGRAM, env: {}, isAtTerminal: false, ...options });
}

Deno.test("updateCommand() has the options about servers, and no token", () => {
  const env = {
    HOME: "/root",
    AGENT_MIRROR: "https://mirror.example",
    RUNTIME_DIRECTORY: "/run/x",
    AGENT_TOKEN: "s3cret-token",
    HTTPS_PROXY: "http://user:word@proxy:3128",
    NO_PROXY: "10.0.0.0/8",
  };
  const args = [...NODE, "--update-url", URL, "--ca-cert", "/etc/ca.pem", "--log-format", "json"];
  const found = command(args, { env });
  assertEquals(found, {
    words: [
      ...[PROGRAM.path, "update", "--now", "--log-format", "json", "--update-url", URL],
      ...["--mirror", "https://mirror.example", "--ca-cert", "/etc/ca.pem"],
    ],
    env: {
      HOME: "/root",
      RUNTIME_DIRECTORY: "/run/x",
      https_proxy: "http://user:word@proxy:3128",
      no_proxy: "10.0.0.0/8",
    },
  });
});

Deno.test("updateCommand() tells a portable build by what it is run", () => {
  const found = command([...NODE, "--update-url", URL], {
    program: { form: "portable", path: "/opt/x" },
  });
  assertEquals(found?.env, { DENO: Deno.execPath() });
});

Deno.test("updateCommand() gives none where no update is due", () => {
  const usual = [...NODE, "--update-url", URL];
  assertEquals(command(usual) === undefined, false);
  assertEquals(command(NODE), undefined, "it has no releases");
  assertEquals(command([...usual, "--disable-auto-update"]), undefined);
  assertEquals(command(["demo", "--update-url", URL]), undefined);
  assertEquals(command(usual, { isAtTerminal: true }), undefined);
  assertEquals(command(usual, { program: { form: "source", path: "/x/main.ts" } }), undefined);
});
