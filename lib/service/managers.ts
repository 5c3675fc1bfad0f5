import { UsageError } from "../config/usage_error.ts";
import type { InstallRecord } from "./install_record.ts";
import { launchdManager } from "./launchd.ts";
import { openrcManager } from "./openrc.ts";
import type { ManagedService, ManagerKind, ServiceManager } from "./service_manager.ts";
import { systemdManager } from "./systemd.ts";
import { scopeOf } from "./service_paths.ts";
import { pathExists, type TargetSystem } from "./target_system.ts";

const CONSTRUCTORS: Readonly<Record<ManagerKind, (service: ManagedService) => ServiceManager>> = {
  systemd: systemdManager,
  openrc: openrcManager,
  launchd: launchdManager,
};

/** The service manager of a kind, for one service. */
export function serviceManager(kind: ManagerKind, service: ManagedService): ServiceManager {
  return CONSTRUCTORS[kind](service);
}

/** The service manager of an installation, by its record. */
export function recordedManager(
  { manager, service: name, scope, logFile }: InstallRecord,
  { home, uid }: Pick<ManagedService, "home" | "uid">,
): ServiceManager {
  return serviceManager(manager, { name, scope, logFile, home, uid });
}

/**
 * Detects the service manager of this machine.
 *
 * @throws {UsageError} When there is no supported one, or it has no services of users.
 */
export function detectManager(system: TargetSystem): ManagerKind {
  const kind = kindOf(system);
  if (kind === undefined) {
    throw new UsageError(
      "Cannot install a service: this machine runs neither systemd, OpenRC nor launchd; " +
        "have its own service manager start komari-agent-deno with --config FILE",
    );
  }
  if (scopeOf(system) === "user" && kind === "openrc") {
    throw new UsageError(
      `Cannot install without root: ${kind} has no services of users; run this as root, and the ` +
        "service gets its own user",
    );
  }
  return kind;
}

function kindOf({ root, os, tools }: TargetSystem): ManagerKind | undefined {
  if (os === "darwin") return "launchd";
  if (pathExists(`${root}/run/systemd/system`)) return "systemd";
  if (pathExists(`${root}/run/openrc`) && tools.has("rc-service")) return "openrc";
  return undefined;
}

/**
 * The reason why a user's own service manager can't be reached; `undefined` when it answers, and
 * for the system's.
 *
 * It runs while the user is logged in; `sudo -u` and `setpriv` are no logins.
 */
export async function managerError(
  { userManager }: ServiceManager,
  { tools }: TargetSystem,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (userManager === undefined) return undefined;
  const { code, output } = await tools.run(userManager.answers, { signal });
  if (code === 0) return undefined;
  return output.trim().split("\n").at(-1) || `${userManager.answers.tool} exited with code ${code}`;
}
