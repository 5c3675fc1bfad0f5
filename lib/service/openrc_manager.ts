import { openrcScript } from "./openrc_script.ts";
import { openrcUpdateScript } from "./openrc_update.ts";
import type { ManagedService, ServiceManager } from "./managed_service.ts";
import type { ToolCommand } from "./tool_command.ts";
import { updateServiceName } from "./update_service.ts";

/** A service of OpenRC's. */
export function openrcManager({ name, logFile }: ManagedService): ServiceManager {
  const update = updateServiceName(name);
  const run = (tool: string, ...args: string[]): ToolCommand => ({ tool, args });
  const add = (service: string) => run("rc-update", "add", service, "default");
  const restart = (service: string) => run("rc-service", service, "restart");
  const stop = (service: string) => ({ ...run("rc-service", service, "stop"), mayFail: true });
  const del = (service: string) => ({
    ...run("rc-update", "del", service, "default"),
    mayFail: true,
  });
  return {
    files: (plan) => [
      { path: `/etc/init.d/${name}`, text: openrcScript(plan), mode: 0o755 },
      ...(plan.isUpdated
        ? [{ path: `/etc/init.d/${update}`, text: openrcUpdateScript(plan), mode: 0o755 }]
        : []),
    ],
    reload: [],
    enable: ({ isUpdated }) => [
      add(name),
      ...(isUpdated ? [add(update), restart(update)] : []),
    ],
    restart: [restart(name)],
    stop: [stop(name)],
    disable: [del(name)],
    disableUpdates: [stop(update), del(update)],
    isActive: run("rc-service", name, "status"),
    lastLog: run("tail", "-n", "5", logFile),
    logHint: `tail -f ${logFile}`,
  };
}
