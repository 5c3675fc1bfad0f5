import { procdScript } from "./procd_script.ts";
import type { ManagedService, ServiceManager } from "./managed_service.ts";
import type { ToolCommand } from "./tool_command.ts";

/** A service of OpenWrt's procd, which is run through its script. */
export function procdManager({ name }: ManagedService): ServiceManager {
  const path = `/etc/init.d/${name}`;
  const run = (word: string): ToolCommand => ({ tool: path, args: [word] });
  return {
    files: (plan) => [{ path, text: procdScript(plan), mode: 0o755 }],
    reload: [],
    enable: () => [run("enable")],
    restart: [run("restart")],
    stop: [{ ...run("stop"), mayFail: true }],
    disable: [{ ...run("disable"), mayFail: true }],
    disableUpdates: [],
    isActive: run("running"),
    lastLog: { tool: "logread", args: ["-l", "5", "-e", name] },
    logHint: `logread -f -e ${name}`,
  };
}
