import { assertEquals } from "@std/assert";
import { requestedLogFormat } from "../../lib/config/config.ts";

Deno.test("requestedLogFormat() looks where the configuration does, and never throws", () => {
  const readText = (path: string) => {
    if (path === "c") return '{"log_format": "json", "unknown": 1}';
    if (path === "bad") return "{";
    throw new Error("gone");
  };
  const of = (args: string[], env: Record<string, string> = {}) =>
    requestedLogFormat({ args, env, readText });
  assertEquals(of(["--log-format", "json", "--wrong"]), "json");
  assertEquals(of(["--log-format=json"]), "json");
  assertEquals(of([], { AGENT_LOG_FORMAT: "json" }), "json");
  assertEquals(of(["--config", "c"]), "json");
  assertEquals(of([], { AGENT_CONFIG_FILE: "c" }), "json");
  assertEquals(of(["--log-format", "text"], { AGENT_LOG_FORMAT: "json" }), "text");
  assertEquals(of(["--log-format", "text", "--log-format", "json"]), "json", "the last one counts");
  for (const path of ["bad", "gone", ""]) assertEquals(of(["--config", path]), "text");
  assertEquals(of(["--log-format"]), "text");
});
