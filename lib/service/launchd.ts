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

/** The property list types in use. */
type PropertyValue = string | number | true | readonly PropertyValue[] | Properties;

/** A property list dictionary. */
interface Properties {
  readonly [key: string]: PropertyValue;
}

/** Formats a launchd property list as XML. */
function propertyList(values: Properties): string {
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<!-- ${ORIGIN} -->`,
    '<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" ' +
    '"http://www.apple.com/DTDs/PropertyList-1.0.dtd">',
    '<plist version="1.0">',
    ...valueLines(values),
    "</plist>",
    "",
  ].join("\n");
}

function valueLines(value: PropertyValue): string[] {
  if (value === true) return ["<true/>"];
  if (typeof value === "number") return [`<integer>${value}</integer>`];
  if (typeof value === "string") return [`<string>${escaped(value)}</string>`];
  if (isList(value)) return ["<array>", ...indented(value.flatMap(valueLines)), "</array>"];
  const entries = Object.entries(value).flatMap(([key, inner]) => [
    `<key>${escaped(key)}</key>`,
    ...valueLines(inner),
  ]);
  return ["<dict>", ...indented(entries), "</dict>"];
}

function isList(value: object): value is readonly PropertyValue[] {
  return Array.isArray(value);
}

function indented(lines: readonly string[]): string[] {
  return lines.map((line) => `  ${line}`);
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
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
    ProgramArguments: environmentFile === undefined
      ? command
      : ["/bin/sh", "-c", SOURCE_FILE, environmentFile, ...command],
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
  const name = updateServiceName(plan.name);
  const start = environmentFile === undefined
    ? ['exec "$@"', name]
    : [SOURCE_FILE, environmentFile];
  const [script = "", ...words] = [...start, ...updateCommand(plan)];
  return propertyList({
    Label: name,
    ProgramArguments: ["/bin/sh", "-c", UPDATE_DELAY + script, ...words],
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
