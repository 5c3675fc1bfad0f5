import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import type { Config } from "../../lib/config/config.ts";
import { UsageError } from "../../lib/config/usage_error.ts";
import { refusal, resolve } from "./resolved.ts";

const FILE = {
  endpoint: "https://p.example",
  token: "t0ken",
  interval: 9,
  metrics: "9100",
  enable_gpu: true,
  include_nics: ["eth0"],
};

function configOf(
  args: readonly string[],
  { env = {}, file = FILE }: { env?: Record<string, string>; file?: unknown } = {},
): Config {
  return resolve(["install", "--config", "c", ...args], {
    env,
    files: { c: JSON.stringify(file) },
  });
}

Deno.test("resolveConfig() takes an empty value, and off, for the default", () => {
  for (const none of ["off", ""]) {
    const config = configOf(["--metrics", none, `--interval=${none}`, "--include-nics", none]);
    assertEquals(config.metrics, undefined);
    assertEquals(config.intervalSeconds, undefined);
    assertEquals(config.includeNics, []);
    const keys = ["metrics", "interval", "include_nics"];
    assertEquals(keys.filter((key) => config.explicitOptions.has(key)), []);
  }
  assertEquals(configOf([], { env: { AGENT_METRICS: "off" } }).metrics, undefined);
  assertEquals(configOf([], { env: { AGENT_METRICS: "" } }).metrics?.port, 9100, "as if not set");
  assertEquals(configOf([], { file: { ...FILE, metrics: "off" } }).metrics, undefined);
  assertEquals(configOf(["--month-rotate", "off"]).monthRotate, 0);
  assertEquals(configOf(["--exec-timeout", ""]).execTimeoutMinutes, 10);
});

Deno.test("resolveConfig() takes off as it is where it means something, or nothing", () => {
  assertEquals(configOf(["--ip-services", "off"]).ipServices, "off");
  assertEquals(configOf(["--ip-services", ""]).ipServices, "default");
  assertEquals(configOf(["-t", "off"]).token, "off");
  const cases = [["--exec-timeout", "off"], ["--transport", "off"], ["-t", ""], ["-e", ""]];
  for (const args of cases) assertThrows(() => configOf(args), UsageError, "Cannot use");
});

Deno.test("resolveConfig() returns what --unset names to its default, in every layer", () => {
  const env = { AGENT_INTERVAL: "7" };
  const names = ["--unset", "--interval, metrics", "--unset=AGENT_ENABLE_GPU,include-nics"];
  const config = configOf(names, { env });
  assertEquals(config.intervalSeconds, undefined);
  assertEquals([config.metrics, config.gpu, config.includeNics], [undefined, false, []]);
  assertEquals([...config.explicitOptions.keys()], ["endpoint"]);
  assertEquals(configOf(["--unset", "https_proxy,NO_PROXY"]).unset, ["HTTPS_PROXY", "NO_PROXY"]);
});

Deno.test("resolveConfig() refuses --unset for what is no option, or is set beside it", () => {
  const table: [words: string, why: string][] = [
    [
      "--unset gpu --unset intervall",
      'Cannot use "gpu,intervall" for flag --unset: expected names of options, and HTTP_PROXY',
    ],
    ["--unset interval -i 3", "Cannot use --unset interval together with --interval"],
  ];
  for (const [words, why] of table) assertThrows(() => configOf(words.split(" ")), UsageError, why);
  assertStringIncludes(refusal(["--unset", "interval"]), 'an option of "install"');
});
