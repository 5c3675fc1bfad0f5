import { launchdPlist } from "./launchd_plist.ts";
import type { ManagedService, ServiceManager } from "./managed_service.ts";
import type { ToolCommand } from "./tool_command.ts";

/** A service of a Mac's launchd: a daemon of the machine's, or an agent of a user's. */
export function launchdManager(
  { name, scope, home, uid, logFile }: ManagedService,
): ServiceManager {
  const folder = scope === "system" ? "/Library/LaunchDaemons" : `${home}/Library/LaunchAgents`;
  const path = `${folder}/${name}.plist`;
  const domain = scope === "system" ? "system" : `gui/${uid}`;
  const target = `${domain}/${name}`;
  const launchctl = (...args: string[]): ToolCommand => ({ tool: "launchctl", args });
  const bootOut: ToolCommand = { ...launchctl("bootout", target), mayFail: true };
  return {
    files: (plan) => [{ path, text: launchdPlist(plan), mode: 0o644 }],
    reload: [],
    enable: () => [launchctl("enable", target)],
    // What is written in the file is read only when it is taken in.
    restart: [bootOut, launchctl("bootstrap", domain, path)],
    stop: [bootOut],
    // Where its file is gone there is nothing to start; a note in launchd's own book would stay.
    disable: [],
    disableUpdates: [],
    isActive: launchctl("print", target),
    lastLog: { tool: "tail", args: ["-n", "5", logFile] },
    logHint: `tail -f ${logFile}`,
  };
}
