import type { Config } from "../config/config.ts";
import { dirname } from "../parse/path.ts";
import { knowsReleases, PROGRAM, releaseKey, VERSION } from "../version.ts";
import { type InstallContext, isLingering } from "./install_context.ts";
import { hasRemoteControl, type InstallPlan } from "./install_plan.ts";
import { panelLines, type PanelOptions } from "./panel_choice.ts";
import { updateServiceName } from "./update_service.ts";

/** Prints what was installed, where, and what the user should know about it. */
export function printSummary(
  { service, record }: InstallPlan,
  config: Config,
  { context, installed }: { context: InstallContext; installed: readonly PanelOptions[] },
): void {
  const { system, scope, kind, manager, paths, link, lingerUser, changeableDeno } = context;
  const { name, program, stateFolder, user, isUpdated } = service;
  const command = record.links.length > 0 && scope === "system" ? name : program;
  const [ownLink] = scope === "user" ? record.links : [];
  const ofService = name === PROGRAM ? "" : ` --install-service-name ${name}`;
  const shown = scope === "user"
    ? `${name} (${kind}), of this user`
    : `${name} (${kind}), as user ${user}`;
  const updates = isUpdated
    ? `every 6 h, by ${updateServiceName(name)}`
    : config.pin
    ? `off: pinned to version ${VERSION}`
    : !config.autoUpdate
    ? "off"
    : !knowsReleases(config)
    ? "off: this build has no release address"
    : releaseKey(config) === ""
    ? "off: this build has no key to verify releases with"
    : `off: as root they would run Deno, and other users can change ${changeableDeno}`;
  const lines = [
    `Installed ${PROGRAM} ${VERSION}:`,
    `  Program        ${program}`,
    `  Configuration  ${service.config}`,
    ...panelLines(config, installed),
    `  Service        ${shown}`,
    `  Updates        ${updates}`,
    `  Log            ${manager.logHint}`,
    `  Uninstall      ${command} uninstall${ofService}`,
    ownLink !== undefined && `  Command        ${ownLink}`,
    ownLink !== undefined && link === "new folder" &&
    `  ${dirname(ownLink)} is new: log in again, so that it is in the PATH`,
    link === "no folder" &&
    `  ${paths.link} was not created: there is no such folder; run ${program}`,
    link === "taken" &&
    `  ${paths.link} was not created: another file has that name`,
    lingerUser !== undefined && !isLingering(lingerUser, system) &&
    `  The service stops when you log out; to keep it, root runs: loginctl enable-linger ${lingerUser}`,
    !record.trees.includes(stateFolder) &&
    `  ${stateFolder} existed before: make sure that the service may write to it`,
    service.sandbox === "no mounts" &&
    "  Sandbox: partial; this machine allows no mount namespaces for services",
    hasRemoteControl(config) && scope === "system" && user !== "root" &&
    "  Remote control runs as that user, not as root; see --as-root",
  ];
  for (const line of lines) if (line !== false) system.printLine(line);
}
