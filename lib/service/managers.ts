import { UsageError } from "../config/usage_error.ts";
import { launchdManager } from "./launchd.ts";
import { openrcManager } from "./openrc.ts";
import { procdManager } from "./procd.ts";
import type { ManagedService, ManagerKind, ServiceManager } from "./service_manager.ts";
import { systemdManager } from "./systemd.ts";
import { pathExists, scopeOf, type TargetSystem } from "./target_system.ts";

/** The manager of a kind, for one service. */
export function serviceManager(kind: ManagerKind, service: ManagedService): ServiceManager {
  switch (kind) {
    case "systemd":
      return systemdManager(service);
    case "openrc":
      return openrcManager(service);
    case "procd":
      return procdManager(service);
    case "launchd":
      return launchdManager(service);
  }
}

/**
 * What looks after the services of this machine.
 *
 * @throws {UsageError} When it is none that is known, or one that has no services of users.
 */
export function detectManager(
  system: Pick<TargetSystem, "root" | "os" | "tools" | "uid">,
): ManagerKind {
  const kind = kindOf(system);
  if (kind === undefined) {
    throw new UsageError(
      "Cannot install a service here: neither systemd, OpenRC, procd nor launchd runs this " +
        "machine; start komari-agent-deno by what does, with --config FILE",
    );
  }
  if (scopeOf(system) === "user" && (kind === "openrc" || kind === "procd")) {
    throw new UsageError(
      `Cannot install without root: ${kind} has no services of users; run it as root, where the ` +
        "service gets a user of its own",
    );
  }
  return kind;
}

function kindOf(
  { root, os, tools }: Pick<TargetSystem, "root" | "os" | "tools">,
): ManagerKind | undefined {
  if (os === "darwin") return "launchd";
  if (pathExists(`${root}/run/systemd/system`)) return "systemd";
  if (pathExists(`${root}/run/openrc`) && tools.has("rc-service")) return "openrc";
  if (pathExists(`${root}/etc/openwrt_release`) || pathExists(`${root}/sbin/procd`)) return "procd";
  return undefined;
}

/**
 * Why a user's own service manager can't be asked for anything; `undefined` when it answers, and
 * for the machine's.
 *
 * It runs while the user is logged in, and whoever has become that user by `sudo -u` or `setpriv`
 * is not.
 */
export async function managerError(
  { userManager }: Pick<ServiceManager, "userManager">,
  { tools }: Pick<TargetSystem, "tools">,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (userManager === undefined) return undefined;
  const { code, output } = await tools.run(userManager.answers, { signal });
  if (code === 0) return undefined;
  return output.trim().split("\n").at(-1) || `${userManager.answers.tool} ended with code ${code}`;
}
