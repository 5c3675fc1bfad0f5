import { assertEquals } from "@std/assert";
import { requestedOutput } from "../../lib/config/config.ts";

Deno.test("requestedOutput() looks where the configuration does, and never throws", () => {
  const readText = (path: string) => {
    if (path === "c") return '{"log_format": "json", "unknown": 1}';
    if (path === "bad") return "{";
    throw new Error("gone");
  };
  const of = (args: string[], env: Record<string, string> = {}) =>
    requestedOutput({ args, env, readText }).logFormat;
  assertEquals(of(["--log-format", "json", "--wrong"]), "json");
  assertEquals(of(["--log-format=json"]), "json");
  assertEquals(of([], { AGENT_LOG_FORMAT: "json" }), "json");
  assertEquals(of(["--config", "c"]), "json");
  assertEquals(of([], { AGENT_CONFIG_FILE: "c" }), "json");
  assertEquals(of(["--log-format", "text"], { AGENT_LOG_FORMAT: "json" }), "text");
  assertEquals(of(["--log-format", "text", "--log-format", "json"]), "json", "the last one counts");
  assertEquals(of(["--log-format=json", "--log-format=text"]), "text");
  assertEquals(of(["--config", "c"], { AGENT_LOG_FORMAT: "text" }), "text");
  assertEquals(of(["--config", "c"], { AGENT_LOG_FORMAT: "" }), "json", "as if not set");
  for (const path of ["bad", "gone", ""]) assertEquals(of(["--config", path]), "text");
  assertEquals(of(["--log-format"]), "text");
  assertEquals(of(["--a=1", "--a.b=2", "--log-format=json"]), "text", "what can't be parsed");
});

Deno.test("requestedOutput() takes the language from --lang, its variable, its key, then the locale", () => {
  const readText = (path: string) => {
    if (path === "c") return '{"lang": "zh"}';
    throw new Error("gone");
  };
  const of = (args: string[], env: Record<string, string> = {}) =>
    requestedOutput({ args, env, readText }).language;
  assertEquals(of(["--lang", "zh", "--wrong"]), "zh");
  assertEquals(of(["--lang", "en"], { LANG: "zh_CN.UTF-8" }), "en");
  assertEquals(of([], { AGENT_LANG: "zh" }), "zh");
  assertEquals(of(["--config", "c"]), "zh");
  assertEquals(of(["--config", "gone"], { LANG: "zh_CN.UTF-8" }), "zh");
  assertEquals(of(["--lang", "fr"], { LANG: "zh_CN.UTF-8" }), "zh");
  assertEquals(of([], { LANG: "zh_CN.UTF-8", JOURNAL_STREAM: "8:1" }), "en", "a service's log");
  assertEquals(of(["--lang", "zh"], { JOURNAL_STREAM: "8:1" }), "zh");
  assertEquals(of([]), "en");
});
