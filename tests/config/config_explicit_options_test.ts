import { assertEquals } from "@std/assert";
import { resolveConfig } from "../../lib/config/config.ts";

function given(args: readonly string[], env: Record<string, string> = {}) {
  const { explicitOptions } = resolveConfig({
    args,
    env,
    readText: () => "secret",
    readMode: () => 0o600,
  });
  return Object.fromEntries(explicitOptions);
}

Deno.test("resolveConfig() has what was asked for in any place, by the keys of the file", () => {
  assertEquals(
    given(["-e", "https://p.example", "-i", "2", "--gpu"], { AGENT_MONTH_ROTATE: "5" }),
    {
      endpoint: "https://p.example",
      interval: "2",
      enable_gpu: "true",
      month_rotate: "5",
    },
  );
});

Deno.test("resolveConfig() says where each option comes from", () => {
  const { explicitOptions, origins } = resolveConfig({
    args: ["-i", "2", "--config", "/c"],
    env: { AGENT_TOKEN: "secret" },
    readText: () => '{"month_rotate": 5}',
    readMode: () => 0o600,
  });
  assertEquals(Object.fromEntries(origins), {
    interval: "flag --interval",
    config_file: "flag --config",
    token: "variable AGENT_TOKEN",
    month_rotate: "key month_rotate of /c",
  });
  assertEquals([...explicitOptions.keys()].sort(), ["interval", "month_rotate"]);
});

Deno.test("resolveConfig() leaves out the token, wherever it stands", () => {
  assertEquals(given(["-t", "secret"]), {});
  assertEquals(given(["--token-file", "/etc/token"]), {});
});
