import { openrcScript } from "./openrc_script.ts";
import type { ManagedService, ServiceManager } from "./managed_service.ts";
import type { ToolCommand } from "./tool_command.ts";

/** A service of OpenRC's. */
export function openrcManager({ name, logFile }: ManagedService): ServiceManager {
  const run = (tool: string, ...args: string[]): ToolCommand => ({ tool, args });
  return {
    files: (plan) => [
      { path: `/etc/init.d/${name}`, text: openrcScript(plan), mode: 0o755 },
    ],
    reload: [],
    enable: () => [run("rc-update", "add", name, "default")],
    restart: [run("rc-service", name, "restart")],
    stop: [{ ...run("rc-service", name, "stop"), mayFail: true }],
    disable: [{ ...run("rc-update", "del", name, "default"), mayFail: true }],
    disableUpdates: [],
    isActive: run("rc-service", name, "status"),
    lastLog: run("tail", "-n", "5", logFile),
    logHint: `tail -f ${logFile}`,
  };
}
