import { launchdPlist } from "./launchd_plist.ts";
import { launchdUpdatePlist } from "./launchd_update.ts";
import type { ManagedService, ServiceManager } from "./managed_service.ts";
import type { ToolCommand } from "./tool_command.ts";
import { updateServiceName } from "./update_service.ts";

/** A service of a Mac's launchd: a daemon of the machine's, or an agent of a user's. */
export function launchdManager(
  { name, scope, home, uid, logFile }: ManagedService,
): ServiceManager {
  const folder = scope === "system" ? "/Library/LaunchDaemons" : `${home}/Library/LaunchAgents`;
  const domain = scope === "system" ? "system" : `gui/${uid}`;
  const update = updateServiceName(name);
  const pathOf = (label: string) => `${folder}/${label}.plist`;
  const launchctl = (...args: string[]): ToolCommand => ({ tool: "launchctl", args });
  const enable = (label: string) => launchctl("enable", `${domain}/${label}`);
  const bootOut = (label: string): ToolCommand => ({
    ...launchctl("bootout", `${domain}/${label}`),
    mayFail: true,
  });
  // What is written in the file is read only when it is taken in.
  const restart = (label: string) => [
    bootOut(label),
    launchctl("bootstrap", domain, pathOf(label)),
  ];
  return {
    files: (plan) => [
      { path: pathOf(name), text: launchdPlist(plan), mode: 0o644 },
      ...(plan.isUpdated
        ? [{ path: pathOf(update), text: launchdUpdatePlist(plan), mode: 0o644 }]
        : []),
    ],
    reload: [],
    enable: ({ isUpdated }) => [
      enable(name),
      ...(isUpdated ? [enable(update), ...restart(update)] : []),
    ],
    restart: restart(name),
    stop: [bootOut(name)],
    // Where its file is gone there is nothing to start; a note in launchd's own book would stay.
    disable: [],
    // A user's own agent may write its program.
    disableUpdates: scope === "system" ? [bootOut(update)] : [],
    isActive: launchctl("print", `${domain}/${name}`),
    lastLog: { tool: "tail", args: ["-n", "5", logFile] },
    logHint: `tail -f ${logFile}`,
  };
}
