import { UsageError } from "../config/usage_error.ts";
import type { ManagerKind } from "../service/managed_service.ts";
import { isThere } from "./is_there.ts";
import { scopeOf, type Site } from "./site.ts";

/**
 * What looks after the services of this machine.
 *
 * @throws {UsageError} When it is none that is known, or one that has no services of users.
 */
export function detectManager(site: Pick<Site, "root" | "os" | "tools" | "uid">): ManagerKind {
  const kind = kindOf(site);
  if (kind === undefined) {
    throw new UsageError(
      "Cannot install a service here: neither systemd, OpenRC, procd nor launchd runs this " +
        "machine; start komari-agent-deno by what does, with --config FILE",
    );
  }
  if (scopeOf(site) === "user" && (kind === "openrc" || kind === "procd")) {
    throw new UsageError(
      `Cannot install without root: ${kind} has no services of users; run it as root, where the ` +
        "service gets a user of its own",
    );
  }
  return kind;
}

function kindOf({ root, os, tools }: Pick<Site, "root" | "os" | "tools">): ManagerKind | undefined {
  if (os === "darwin") return "launchd";
  if (isThere(`${root}/run/systemd/system`)) return "systemd";
  if (isThere(`${root}/run/openrc`) && tools.has("rc-service")) return "openrc";
  if (isThere(`${root}/etc/openwrt_release`) || isThere(`${root}/sbin/procd`)) return "procd";
  return undefined;
}
