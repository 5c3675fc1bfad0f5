import type { ToolCommand } from "../host/tool_runner.ts";
import {
  agentVariables,
  updateCommand,
  updateServiceName,
  updateVariables,
} from "./service_files.ts";
import {
  type ManagedService,
  optional,
  ORIGIN,
  type ServiceManager,
  type ServicePlan,
} from "./service_manager.ts";

/** The values of a property list that are in use. */
type PropertyValue = string | number | true | string[] | Record<string, string>;

/** Formats a launchd property list as XML. */
function propertyList(values: Record<string, PropertyValue>): string {
  const lines = Object.entries(values).flatMap((
    [key, value],
  ) => [keyElement(key), ...elements(value)]);
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<!-- ${ORIGIN} -->`,
    '<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" ' +
    '"http://www.apple.com/DTDs/PropertyList-1.0.dtd">',
    '<plist version="1.0">',
    ...["<dict>", ...lines.map((line) => `  ${line}`), "</dict>"],
    "</plist>",
    "",
  ].join("\n");
}

function elements(value: PropertyValue): string[] {
  if (value === true) return ["<true/>"];
  if (typeof value === "number") return [`<integer>${value}</integer>`];
  if (typeof value === "string") return [textElement(value)];
  if (Array.isArray(value)) {
    return ["<array>", ...value.map((word) => `  ${textElement(word)}`), "</array>"];
  }
  const entries = Object.entries(value).flatMap((
    [key, text],
  ) => [keyElement(key), textElement(text)]);
  return ["<dict>", ...entries.map((line) => `  ${line}`), "</dict>"];
}

function keyElement(key: string): string {
  return `<key>${key}</key>`;
}

function textElement(text: string): string {
  const escaped = text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  return `<string>${escaped}</string>`;
}

/** Lets a user read root's files, by an access control entry. */
export function readableBy(user: string, paths: readonly string[]): ToolCommand {
  return { tool: "/bin/chmod", args: ["+a", `user:${user} allow read`, ...paths] };
}

/** Sources a file of variables first, since launchd has no `EnvironmentFile=`. */
const SOURCE_FILE = 'set -a; [ ! -r "$0" ] || . "$0"; exec "$@"';

/** The property list of the agent. */
export function launchdPlist(plan: ServicePlan): string {
  const { environmentFile, scope, user } = plan;
  const command = [plan.program, "--config", plan.config];
  return propertyList({
    Label: plan.name,
    ProgramArguments: ["/bin/sh", "-c", SOURCE_FILE, environmentFile, ...command],
    EnvironmentVariables: agentVariables(plan),
    ...(scope === "system" && { UserName: user }),
    RunAtLoad: true,
    KeepAlive: true,
    ThrottleInterval: 5,
    StandardOutPath: plan.logFile,
    StandardErrorPath: plan.logFile,
  });
}

/**
 * After boot the network and the agent need time; after an installation the user has seen a report
 * by then.
 */
const UPDATE_DELAY = "sleep 300; ";

/**
 * The property list of the update job: at load, which resumes an interrupted update, and every 6 h.
 */
export function launchdUpdatePlist(plan: ServicePlan): string {
  const { environmentFile, logFile } = plan;
  const script = UPDATE_DELAY + SOURCE_FILE;
  return propertyList({
    Label: updateServiceName(plan.name),
    ProgramArguments: ["/bin/sh", "-c", script, environmentFile, ...updateCommand(plan)],
    EnvironmentVariables: updateVariables(plan),
    RunAtLoad: true,
    StartInterval: 21_600,
    Nice: 10,
    StandardOutPath: logFile,
    StandardErrorPath: logFile,
  });
}

/** A launchd daemon of the system, or an agent of a user. */
export function launchdManager(
  { name, scope, home, uid, logFile }: ManagedService,
): ServiceManager {
  const folder = scope === "system" ? "/Library/LaunchDaemons" : `${home}/Library/LaunchAgents`;
  const domain = scope === "system" ? "system" : `gui/${uid}`;
  const update = updateServiceName(name);
  const pathOf = (label: string) => `${folder}/${label}.plist`;
  const launchctl = (...args: string[]): ToolCommand => ({ tool: "launchctl", args });
  const enable = (label: string) => launchctl("enable", `${domain}/${label}`);
  const bootout = (label: string) => optional(launchctl("bootout", `${domain}/${label}`));
  // launchd reads the file at bootstrap only.
  const restart = (label: string) => [
    bootout(label),
    launchctl("bootstrap", domain, pathOf(label)),
  ];
  return {
    files: (plan) => [{ path: pathOf(name), text: launchdPlist(plan), mode: 0o644 }],
    updateFiles: (plan) => [
      { path: pathOf(update), text: launchdUpdatePlist(plan), mode: 0o644 },
    ],
    reload: [],
    enable: [enable(name)],
    enableUpdates: [enable(update), ...restart(update)],
    restart: restart(name),
    stop: [bootout(name)],
    // Without its file there is nothing to start, and `launchctl disable` would outlive it.
    disable: [],
    disableUpdates: [bootout(update)],
    isActive: launchctl("print", `${domain}/${name}`),
    isEnabled: { tool: "test", args: ["-e", pathOf(name)] },
    logTail: { tool: "tail", args: ["-n", "5", logFile] },
    logHint: `tail -f ${logFile}`,
  };
}
