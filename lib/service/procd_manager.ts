import { procdScript } from "./procd_script.ts";
import { procdUpdateScript } from "./procd_update.ts";
import type { ManagedService, ServiceManager } from "./managed_service.ts";
import type { ToolCommand } from "./tool_command.ts";
import { updateServiceName } from "./update_service.ts";

/** A service of OpenWrt's procd, which is run through its script. */
export function procdManager({ name }: ManagedService): ServiceManager {
  const path = `/etc/init.d/${name}`;
  const update = `/etc/init.d/${updateServiceName(name)}`;
  const run = (tool: string, word: string): ToolCommand => ({ tool, args: [word] });
  const may = (command: ToolCommand): ToolCommand => ({ ...command, mayFail: true });
  return {
    files: (plan) => [
      { path, text: procdScript(plan), mode: 0o755 },
      ...(plan.isUpdated ? [{ path: update, text: procdUpdateScript(plan), mode: 0o755 }] : []),
    ],
    reload: [],
    enable: ({ isUpdated }) => [
      run(path, "enable"),
      ...(isUpdated ? [run(update, "enable"), run(update, "restart")] : []),
    ],
    restart: [run(path, "restart")],
    stop: [may(run(path, "stop"))],
    disable: [may(run(path, "disable"))],
    disableUpdates: [may(run(update, "stop")), may(run(update, "disable"))],
    isActive: run(path, "running"),
    lastLog: { tool: "logread", args: ["-l", "5", "-e", name] },
    logHint: `logread -f -e ${name}`,
  };
}
