import { launchdManager } from "./launchd_manager.ts";
import type { ManagedService, ManagerKind, ServiceManager } from "./managed_service.ts";
import { openrcManager } from "./openrc_manager.ts";
import { procdManager } from "./procd_manager.ts";
import { systemdManager } from "./systemd_manager.ts";

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
