import { assertEquals } from "@std/assert";
import { resolveConfig } from "../../lib/config/config.ts";
import { languageOf } from "../../lib/config/environment.ts";

Deno.test("languageOf() takes LC_ALL before LC_MESSAGES before LANG", () => {
  assertEquals(languageOf({ LANG: "zh_CN.UTF-8" }), "zh");
  assertEquals(languageOf({ LANG: "zh_TW", LC_MESSAGES: "en_US.UTF-8" }), "en");
  assertEquals(languageOf({ LANG: "en_US", LC_MESSAGES: "", LC_ALL: "zh" }), "zh");
  assertEquals(languageOf({ LC_MESSAGES: "zh", LC_ALL: "en_US" }), "en");
  assertEquals(languageOf({ LANG: "zha" }), "en");
  assertEquals(languageOf({}), "en");
});

Deno.test("resolveConfig() takes the language from --lang before the environment", () => {
  const language = (args: string[], env: Record<string, string>) =>
    resolveConfig({ args, env, readText: () => "", readMode: () => undefined }).language;
  assertEquals(language(["help"], { LANG: "zh_CN.UTF-8" }), "zh");
  assertEquals(language(["help", "--lang", "en"], { LANG: "zh_CN.UTF-8" }), "en");
  assertEquals(language(["help"], { AGENT_LANG: "zh" }), "zh");
  const ofLog = (args: string[], env: Record<string, string>) =>
    resolveConfig({ args, env, readText: () => "", readMode: () => undefined }).logLanguage;
  assertEquals(ofLog([], { LANG: "zh_CN.UTF-8" }), "en");
  assertEquals(ofLog([], { AGENT_LANG: "zh" }), "zh");
});
