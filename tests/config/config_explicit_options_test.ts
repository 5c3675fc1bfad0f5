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

Deno.test("resolveConfig() leaves out the token, wherever it stands", () => {
  assertEquals(given(["-t", "secret"]), {});
  assertEquals(given(["--token-file", "/etc/token"]), {});
});
