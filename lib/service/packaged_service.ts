/**
 * The service of a package (.deb, .rpm): its program, unit and user are the package's, and `install`
 * writes its configuration only.
 *
 * @module
 */

import type { Config } from "../config/config.ts";
import { UsageError } from "../config/usage_error.ts";
import {
  installedPackage,
  PACKAGE_MANAGERS,
  PACKAGED_PROGRAM,
  type PackageKind,
  packageOf,
  type ProgramForm,
} from "../host/this_program.ts";
import { PROGRAM } from "../version.ts";
import { readInstalledPanels } from "./panel_choice.ts";
import type { InstallRecord } from "./install_record.ts";
import type { ManagerKind, ServicePlan } from "./service_manager.ts";
import { scopeOf, servicePaths } from "./service_paths.ts";
import type { TargetSystem } from "./target_system.ts";

/** The first comment of a package's unit. */
export const PACKAGE_ORIGIN = `Part of a package; \`systemctl edit ${PROGRAM}\` changes it.`;

/** The configuration of a package, before `install`. */
export const EMPTY_CONFIG = "{}\n";

/**
 * Whether the service of a package has a panel: in its configuration, or in a variable of a drop-in.
 * Without one it would be started again and again. From systemd 243 on.
 */
export const PACKAGE_CONDITION =
  `[ -n "$AGENT_ENDPOINT$AGENT_PANELS" ] || ! grep -qx "{}" /etc/${PROGRAM}/config.json`;

/** The drop-in with the settings that one machine needs beyond the package's unit. */
export const PACKAGED_DROP_IN = `/etc/systemd/system/${PROGRAM}.service.d/install.conf`;

/** Where a unit finds a Deno by itself. */
export const ON_UNIT_PATH: readonly string[] = ["/usr/local/bin/deno", "/usr/bin/deno"];

const PATHS = servicePaths(PROGRAM, { uid: 0, home: "", userRuntimeDir: "", os: "linux" });

/** The service that a package's unit describes. */
export function packagedPlan(form: ProgramForm): ServicePlan {
  return {
    ...PATHS,
    name: PROGRAM,
    scope: "system",
    program: PACKAGED_PROGRAM,
    user: PROGRAM,
    updateFolder: "",
    // Found on the path of the unit.
    deno: form === "portable" ? "deno" : undefined,
    sandbox: "full",
    usesDevices: false,
    releaseFlags: [],
    isUpdated: false,
  };
}

/** The record of a package's service, which is not on the disk. */
export function packagedRecord(): InstallRecord {
  return {
    ...PATHS,
    service: PROGRAM,
    manager: "systemd",
    scope: "system",
    user: PROGRAM,
    createdUser: false,
    enabledLinger: "",
    program: PACKAGED_PROGRAM,
    files: [],
    links: [],
    folders: [],
    trees: [PATHS.stateFolder],
    pinned: "",
    rootOptions: {},
  };
}

/** Whether this program is a package's and reports to a panel already. */
export function isPackageConfigured({ program, root }: TargetSystem): boolean {
  if (packageOf(program, { root }) === undefined) return false;
  return readInstalledPanels(root + PATHS.config).length > 0;
}

/** The command that removes a package and all that it has. */
export function removalCommand(kind: PackageKind): string {
  return `sudo ${PACKAGE_MANAGERS[kind]} ${kind === "deb" ? "purge" : "remove"} ${PROGRAM}`;
}

/**
 * Refuses what a package's service can't have.
 *
 * @throws {UsageError} When it is asked for.
 */
export function requirePackagedService(
  { serviceName, installDir, asRoot }: Config,
  { system, kind }: { system: TargetSystem; kind: ManagerKind },
): void {
  const reason = scopeOf(system) !== "system"
    ? "its service is the system's; run this as root"
    : kind !== "systemd"
    ? `its service is one of systemd, and this machine runs ${kind}`
    : serviceName !== PROGRAM
    ? `its service is named ${PROGRAM}; leave out --install-service-name`
    : installDir !== ""
    ? "its program stays where it is; leave out --install-dir"
    : asRoot
    ? "its service has a user of its own; leave out --as-root"
    : undefined;
  if (reason === undefined) return;
  throw new UsageError(`Cannot install: this program belongs to a package, and ${reason}`);
}

/**
 * Refuses a second service beside that of a package.
 *
 * @throws {UsageError} When a package has one of that name.
 */
export function requireNoPackage(serviceName: string, { root }: TargetSystem): void {
  const kind = installedPackage({ root });
  if (kind === undefined || serviceName !== PROGRAM) return;
  throw new UsageError(
    `Cannot install ${serviceName}: a package has installed it; run \`sudo ${PACKAGED_PROGRAM} ` +
      `install\`, or remove the package before: ${removalCommand(kind)}`,
  );
}
