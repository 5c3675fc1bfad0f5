import { UsageError } from "../config/usage_error.ts";
import type { InstallRecord } from "./install_record.ts";
import { launchdManager } from "./launchd.ts";
import { openrcManager } from "./openrc.ts";
import {
  type ManagedService,
  type ManagerKind,
  scopeOf,
  type ServiceManager,
} from "./service_manager.ts";
import { systemdManager } from "./systemd.ts";
import { pathExists, type TargetSystem } from "./target_system.ts";

/** The service manager of a kind, for one service. */
export function serviceManager(kind: ManagerKind, service: ManagedService): ServiceManager {
  const managers = { systemd: systemdManager, openrc: openrcManager, launchd: launchdManager };
  return managers[kind](service);
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
 * A user's own manager runs while the user is logged in; `sudo -u` and `setpriv` are no logins.
 *
 * @throws {UsageError} When it does not answer: no service could be started or stopped.
 */
export async function requireManager(
  { answers }: ServiceManager,
  system: TargetSystem,
  signal: AbortSignal,
): Promise<void> {
  if (answers === undefined) return;
  const { code, output } = await system.tools.run(answers, { signal });
  if (code === 0) return;
  const reason = output.trim().split("\n").at(-1) || `${answers.tool} exited with code ${code}`;
  const name = await userName(system, signal) ?? system.uid;
  throw new UsageError(
    `Cannot use this user's service manager, which does not answer (${reason}): log in as ` +
      `${name} with ssh or \`machinectl shell ${name}@\`, or have root run \`loginctl ` +
      `enable-linger ${name}\` and set XDG_RUNTIME_DIR=/run/user/${system.uid}`,
  );
}

/** The name of the current user. */
export async function userName(
  { tools }: TargetSystem,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { code, output } = await tools.run({ tool: "id", args: ["-un"] }, { signal });
  return code === 0 && output.trim() !== "" ? output.trim() : undefined;
}
