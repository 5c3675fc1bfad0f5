import { DESCRIPTION, ORIGIN, type ServicePlan } from "./service_plan.ts";
import { commandLine, environmentLines } from "./systemd_unit.ts";
import { systemdPath } from "./systemd_word.ts";
import { updateCommand, updateVariables } from "./update_service.ts";

/** The unit that takes a newer version once, `NAME-update.service`. */
export function systemdUpdateUnit(plan: ServicePlan): string {
  const { scope, updateEnvironmentFile: file } = plan;
  const ofSystem = scope === "system";
  return [
    `# ${ORIGIN}`,
    "[Unit]",
    `Description=${DESCRIPTION}: take a newer version`,
    ...(ofSystem ? ["Wants=network-online.target", "After=network-online.target"] : []),
    "",
    "[Service]",
    "Type=oneshot",
    `ExecStart=${commandLine(updateCommand(plan))}`,
    ...environmentLines(updateVariables(plan)),
    ...(file === undefined ? [] : [`EnvironmentFile=-${systemdPath(file)}`]),
    ...(ofSystem ? ["NoNewPrivileges=yes"] : []),
    "Nice=10",
    "",
  ].join("\n");
}

/** The timer of {@linkcode systemdUpdateUnit}, `NAME-update.timer`. */
export function systemdUpdateTimer(): string {
  return [
    `# ${ORIGIN}`,
    "[Unit]",
    `Description=${DESCRIPTION}: look for a newer version`,
    "",
    "[Timer]",
    "# Soon after a start too, since one that was cut off goes on then.",
    "OnBootSec=2min",
    "OnUnitActiveSec=6h",
    "# So that many machines don't ask at once.",
    "RandomizedDelaySec=30min",
    "",
    "[Install]",
    "WantedBy=timers.target",
    "",
  ].join("\n");
}
