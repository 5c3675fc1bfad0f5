import { denoVariables } from "./deno_variables.ts";
import { ORIGIN, type ServicePlan } from "./service_plan.ts";

/** Starts what follows with the variables of a file, which launchd itself can't read. */
const WITH_FILE = 'set -a; [ ! -r "$0" ] || . "$0"; exec "$@"';

/** The description of a service for a Mac's launchd. */
export function launchdPlist(plan: ServicePlan): string {
  const { environmentFile, scope, user } = plan;
  const command = [plan.program, "--config", plan.config];
  const words = environmentFile === undefined
    ? command
    : ["/bin/sh", "-c", WITH_FILE, environmentFile, ...command];
  const environment = Object.entries({
    ...denoVariables(plan, { folder: plan.stateFolder }),
    STATE_DIRECTORY: plan.stateFolder,
    RUNTIME_DIRECTORY: plan.runtimeFolder,
  });
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<!-- ${ORIGIN} -->`,
    '<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" ' +
    '"http://www.apple.com/DTDs/PropertyList-1.0.dtd">',
    '<plist version="1.0">',
    "<dict>",
    ...entry("Label", plan.name),
    "  <key>ProgramArguments</key>",
    "  <array>",
    ...words.map((word) => `    <string>${escaped(word)}</string>`),
    "  </array>",
    "  <key>EnvironmentVariables</key>",
    "  <dict>",
    ...environment.flatMap(([name, value]) => entry(name, value)).map((line) => `  ${line}`),
    "  </dict>",
    ...(scope === "system" ? entry("UserName", user) : []),
    "  <key>RunAtLoad</key>",
    "  <true/>",
    "  <key>KeepAlive</key>",
    "  <true/>",
    "  <key>ThrottleInterval</key>",
    "  <integer>5</integer>",
    ...entry("StandardOutPath", plan.logFile),
    ...entry("StandardErrorPath", plan.logFile),
    "</dict>",
    "</plist>",
    "",
  ].join("\n");
}

function entry(key: string, value: string): string[] {
  return [`  <key>${escaped(key)}</key>`, `  <string>${escaped(value)}</string>`];
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
