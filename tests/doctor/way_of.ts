import { assertEquals } from "@std/assert";
import { translate } from "../../lib/cli/translate.ts";
import type { Finding } from "../../lib/doctor/check.ts";
import type { FoundService } from "../../lib/doctor/found_service.ts";
import { type OpenWay, wayTo } from "../../lib/doctor/way.ts";
import type { UnitSetting } from "../../lib/doctor/loaded_unit.ts";
import { brokenRules, leftEnglish } from "../cli/chinese_style.ts";
import { configOf } from "../cli/fake_context.ts";

/** A token as panels make them. */
export const TOKEN = "0123456789abcdefghijkl";

/** The way to a panel, by the options of a command line. */
export function wayOf(
  options = "-e https://panel.example",
  { env = {}, addresses = ["192.0.2.7"], settings = [] }: {
    env?: Record<string, string>;
    addresses?: readonly string[];
    settings?: readonly UnitSetting[];
  } = {},
): OpenWay {
  const token = / -t | --auto-discovery /.test(options) ? [] : ["-t", TOKEN];
  const way = wayTo(configOf(["doctor", ...options.split(" "), ...token], env), settings);
  way.addresses = addresses;
  return way;
}

/** Nothing is installed here. */
export const NOT_INSTALLED: FoundService = {
  ...{ record: undefined, recordError: "", state: undefined, unit: undefined, settings: [] },
  ...{ scope: "system", runtimeFolder: "/run/x", readConfig: undefined },
  install: "komari-agent-deno install",
};

/** A finding in one line, whose Chinese has no English left. */
export function shown({ status, text, advice }: Finding): string {
  for (const english of [text, ...advice]) {
    const chinese = translate(english, "zh");
    assertEquals([leftEnglish(chinese), brokenRules(chinese)], [undefined, []], chinese);
  }
  return [`${status}: ${text}`, ...advice].join(" → ");
}
