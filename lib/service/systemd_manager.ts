import type { ManagedService, ServiceManager } from "./managed_service.ts";
import { systemdUnit } from "./systemd_unit.ts";
import { systemdUpdateTimer, systemdUpdateUnit } from "./systemd_update.ts";
import type { ToolCommand } from "./tool_command.ts";
import { updateServiceName } from "./update_service.ts";

/** A service of systemd's, the machine's or a user's. */
export function systemdManager({ name, scope, home }: ManagedService): ServiceManager {
  const folder = scope === "system" ? "/etc/systemd/system" : `${home}/.config/systemd/user`;
  const user = scope === "system" ? [] : ["--user"];
  const unit = `${name}.service`;
  const update = updateServiceName(name);
  const timer = `${update}.timer`;
  const systemctl = (...args: string[]): ToolCommand => ({
    tool: "systemctl",
    args: [...user, ...args],
  });
  const may = (command: ToolCommand): ToolCommand => ({ ...command, mayFail: true });
  return {
    files: (plan) => [
      { path: `${folder}/${unit}`, text: systemdUnit(plan), mode: 0o644 },
      ...(plan.isUpdated
        ? [
          { path: `${folder}/${update}.service`, text: systemdUpdateUnit(plan), mode: 0o644 },
          { path: `${folder}/${timer}`, text: systemdUpdateTimer(), mode: 0o644 },
        ]
        : []),
    ],
    reload: [systemctl("daemon-reload")],
    enable: ({ isUpdated }) => [
      systemctl("enable", unit),
      ...(isUpdated ? [systemctl("enable", "--now", timer)] : []),
    ],
    restart: [systemctl("restart", unit)],
    stop: [may(systemctl("stop", unit))],
    disable: [
      may(systemctl("disable", unit)),
      // Otherwise one that had failed is remembered when its file is gone.
      may(systemctl("reset-failed", unit)),
    ],
    disableUpdates: [
      may(systemctl("disable", "--now", timer)),
      may(systemctl("stop", `${update}.service`)),
      may(systemctl("reset-failed", `${update}.service`)),
    ],
    ...(scope === "user" && {
      ofUser: {
        answers: systemctl("show", "--property=Version"),
        links: [`${folder}/default.target.wants/${unit}`, `${folder}/timers.target.wants/${timer}`],
      },
    }),
    isActive: systemctl("is-active", "--quiet", unit),
    lastLog: {
      tool: "journalctl",
      args: [...user, "-u", unit, "-n", "5", "--no-pager", "-o", "cat"],
    },
    logHint: ["journalctl", ...user, "-u", name, "-f"].join(" "),
  };
}
