import { denoVariables } from "./deno_variables.ts";
import { DESCRIPTION, ORIGIN, type ServicePlan } from "./service_plan.ts";
import { commandLine, environmentLines } from "./systemd_unit.ts";
import { systemdPath } from "./systemd_word.ts";

/** What the unit that looks for newer versions, and its timer, are called without their endings. */
export function updateUnitName(service: string): string {
  return `${service}-update`;
}

/**
 * The unit that takes a newer version once, `NAME-update.service`.
 *
 * It runs as the program's owner, apart from the agent, which is not allowed to write its own
 * program. What it and its Deno remember lies where the agent can't write.
 */
export function systemdUpdateUnit(plan: ServicePlan): string {
  const { scope, environmentFile } = plan;
  const ofSystem = scope === "system";
  return [
    `# ${ORIGIN}`,
    "[Unit]",
    `Description=${DESCRIPTION}: take a newer version`,
    ...(ofSystem ? ["Wants=network-online.target", "After=network-online.target"] : []),
    "",
    "[Service]",
    "Type=oneshot",
    `ExecStart=${commandLine([plan.program, "update", "--now", ...plan.releaseFlags])}`,
    ...environmentLines({
      ...denoVariables(plan, { folder: plan.updateFolder }),
      // Where the agent says that its reports are accepted.
      RUNTIME_DIRECTORY: plan.runtimeFolder,
    }),
    ...(environmentFile === undefined ? [] : [`EnvironmentFile=-${systemdPath(environmentFile)}`]),
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
